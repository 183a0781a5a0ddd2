"""The parser of plain maths: LaTeX or plain typing, implicit multiplication, mixed numbers, degrees, unknown functions."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from selftaught.grading.maths.tokens import (
    EVENT_HEADS,
    FUNCTIONS,
    GREEK,
    HEADS,
    TRIG,
    Cursor,
    Token,
    TooLarge,
    Unreadable,
)

MAX_DEPTH = 40
MAX_BITS = 40_000
"""Exact integers stay below 2 to this power."""

Node = tuple[Any, ...]
"""(operator, operands…): num, var, add, mul, div, neg, pow, call, fact, deg."""


class Parser(Cursor):
    """Recursive descent over tokens; implicit multiplication, mixed numbers, degrees."""

    def __init__(self, tokens: list[Token], functions: frozenset[str]) -> None:
        super().__init__(tokens)
        self.functions = functions
        self.applied: set[str] = set()
        self.alone: set[str] = set()
        self.variables: set[str] = set()
        self.decimals = 0
        self.bars = 0

    def expression(self, depth: int) -> Node:
        """A sum of terms."""
        if depth > MAX_DEPTH:
            raise Unreadable("deep")
        node = self.term(depth)
        while self.peek() in ("+", "-"):
            operator = self.take()
            right = self.term(depth)
            node = ("add", node, right if operator == "+" else ("neg", right))
        return node

    def term(self, depth: int) -> Node:
        """A product of powers, ``*``, ``/`` and side by side; a sign may stand first."""
        if self.peek() in ("+", "-"):
            sign = self.take()
            node = self.term(depth + 1) if depth < MAX_DEPTH else self._too_deep()
            return ("neg", node) if sign == "-" else node
        node = self.power(depth)
        while True:
            text = self.peek()
            if text in ("*", "\\times", "\\cdot"):
                self.take()
                node = ("mul", node, self.signed(depth))
            elif text == "/":
                self.take()
                node = ("div", node, self.signed(depth))
            elif self._starts_factor():
                node = self._juxtapose(node, depth)
            else:
                return node

    def _too_deep(self) -> Node:
        raise Unreadable("deep")

    def signed(self, depth: int) -> Node:
        """A factor with signs before it: ``2*-3``."""
        if self.peek() in ("+", "-"):
            return ("neg", self.signed(depth + 1)) if self.take() == "-" else self.signed(depth + 1)
        return self.power(depth)

    def _starts_factor(self) -> bool:
        text, kind = self.peek(), self.kind()
        if kind in ("number", "letter") or text in ("(", "[", "{"):
            return True
        if text == "|":
            return self.bars == 0
        if text in ("\\lfloor", "\\lceil", "\\|"):
            return True
        return kind == "command" and text not in ("\\}", "\\{", "\\rfloor", "\\rceil", "\\pm", "\\mp", "\\%", "\\mid")

    def _juxtapose(self, node: Node, depth: int) -> Node:
        """Two factors side by side: a mixed number, or a product."""
        before = self.tokens[self.position - 1]
        if before.kind == "number" and "." not in before.text and node == ("num", Fraction(before.text)):
            if self.peek() == "\\frac":
                start = self.position
                fraction = self.power(depth)
                if _is_proper(fraction):
                    return ("add", node, fraction)
                self.position = start
            if self.kind() == "number":
                if self.kind(2) == "number" and self.peek(1) == "/" and "." not in self.peek() + self.peek(2):
                    above, below = Fraction(self.take()), self.take("/") and Fraction(self.take())
                    if below and above < below:
                        return ("add", node, ("num", above / below))
                raise Unreadable("two numbers")
        elif self.kind() == "number":
            if before.kind == "number":
                raise Unreadable("two numbers")
            if before.kind == "letter" and not self.tokens[self.position].spaced:
                raise Unreadable("a name with a number")
        return ("mul", node, self.power(depth))

    def power(self, depth: int) -> Node:
        """An atom with what stands behind it: ``!``, ``%``, an exponent, degrees."""
        node = self.atom(depth)
        while True:
            text = self.peek()
            if text == "!":
                self.take()
                node = ("fact", node)
            elif text == "%":
                self.take()
                node = ("div", node, ("num", Fraction(100)))
            elif text in ("^", "**"):
                self.take()
                if self.peek() == "{" and self.peek(1) == "\\circ" and self.peek(2) == "}":
                    self.position += 3
                    node = ("deg", node)
                    continue
                node = ("pow", node, self.exponent(depth + 1))
            else:
                return node

    def exponent(self, depth: int) -> Node:
        """What follows ``^``: a group, a sign, one atom; towers go from right to left."""
        if depth > MAX_DEPTH:
            raise Unreadable("deep")
        if self.peek() == "{":
            return self.group(depth)
        if self.peek() in ("-", "+"):
            sign = self.take()
            node = self.exponent(depth + 1)
            return ("neg", node) if sign == "-" else node
        node = self.atom(depth)
        if self.peek() in ("^", "**"):  # right to left
            self.take()
            return ("pow", node, self.exponent(depth + 1))
        return node

    def group(self, depth: int) -> Node:
        """``{…}``."""
        self.take("{")
        bars, self.bars = self.bars, 0
        node = self.expression(depth + 1)
        self.bars = bars
        self.take("}")
        return node

    def argument(self, depth: int) -> Node:
        """A LaTeX argument: a group or one token."""
        if self.peek() == "{":
            return self.group(depth)
        if self.kind() == "number" and len(self.peek()) > 1 and self.peek().isdigit():
            raise Unreadable("argument")
        return self.atom(depth)

    def atom(self, depth: int) -> Node:
        """A number, a name, brackets, bars, a command."""
        if depth > MAX_DEPTH:
            raise Unreadable("deep")
        text, kind = self.peek(), self.kind()
        if kind == "number":
            return self.number()
        if kind == "letter":
            return self.variable(self.take(), depth)
        if text in ("(", "["):
            self.take()
            bars, self.bars = self.bars, 0
            node = self.expression(depth + 1)
            self.bars = bars
            self.take(")" if text == "(" else "]")
            return node
        if text == "{":
            return self.group(depth)
        if text in ("|", "\\|"):
            self.take()
            self.bars += 1
            node = self.expression(depth + 1)
            self.bars -= 1
            self.take(text)
            return ("call", "abs", node)
        if kind == "command":
            return self.command(self.take()[1:], depth)
        raise Unreadable(f"token {text!r}")

    def number(self) -> Node:
        """A decimal literal, a repeating one too."""
        text = self.take()
        if "e" in text.lower() and abs(int(re.split("[eE]", text)[1])) > 2000:
            raise TooLarge
        if len(text) > MAX_BITS // 4:
            raise TooLarge
        if text.endswith("."):
            if self.peek() in ("\\overline", "\\bar", "\\dot"):
                return self.repeating(text)
            text = text[:-1]
        elif "." in text and self.peek() in ("\\overline", "\\bar", "\\dot"):
            return self.repeating(text)
        if "." in text or "e-" in text.lower():
            self.decimals = max(self.decimals, len(re.split("[eE]", text)[0].partition(".")[2]))
        return ("num", Fraction(text))

    def repeating(self, text: str) -> Node:
        """``0.1\\overline{6}`` as a fraction."""
        self.take()
        self.take("{")
        period = self.take()
        self.take("}")
        if not period.isdigit() or len(period) > 60 or len(text) > 60:
            raise Unreadable("period")
        whole, _, start = text.partition(".")
        shift = 10 ** len(start)
        value = Fraction(int(whole + start or "0"), shift) + Fraction(int(period), shift * (10 ** len(period) - 1))
        return ("num", value)

    def variable(self, name: str, depth: int) -> Node:
        """A name with its subscript and primes: a constant, a variable, or a function where brackets follow."""
        if self.peek() == "_":
            self.take()
            name += "_" + self.subscript()
        while self.peek() == "'":
            name += self.take()
        if self.is_adjacent("[") and (name[0].isupper() or name in HEADS):
            return self.application(name, depth)
        if self.is_adjacent("("):
            if name in self.functions or name.endswith("'"):
                return self.application(name, depth)
            if name in HEADS or name in EVENT_HEADS and self._holds_capitals():
                self.applied.add(name)
        else:
            self.alone.add(name)
        if name in ("e", "i"):
            return ("const", name)
        self.variables.add(name)
        return ("var", name)

    def _holds_capitals(self) -> bool:
        """Up to the closing bracket: capital letters, and no small ones."""
        inside: list[str] = []
        for token in self.tokens[self.position + 1 :]:
            if token.text == ")":
                break
            inside.append(token.text)
        letters = [text for text in inside if len(text) == 1 and text.isalpha()]
        return bool(letters) and all(letter.isupper() for letter in letters)

    def application(self, name: str, depth: int) -> Node:
        """An unknown function's value."""
        close = {"(": ")", "[": "]"}[self.take()]
        arguments = [self.expression(depth + 1)]
        while self.peek() == ",":
            self.take()
            arguments.append(self.expression(depth + 1))
        self.take(close)
        self.variables.add(name)
        return ("apply", name, *arguments)

    def subscript(self) -> str:
        """What follows ``_``, as text."""
        if self.peek() != "{":
            return self.take()
        parts: list[str] = []
        self.take("{")
        while self.peek() != "}":
            parts.append(self.take())
        self.take("}")
        return "".join(parts)

    def command(self, name: str, depth: int) -> Node:
        """A LaTeX command that stands for a value."""
        if name == "pi":
            return ("const", "pi")
        if name == "nabla":
            return self.opaque("\\nabla", depth)
        if name == "frac":
            if (derivative := self.derivative(depth)) is not None:
                return derivative
            return ("div", self.argument(depth + 1), self.argument(depth + 1))
        if name == "binom":
            return ("call", "binom", self.argument(depth + 1), self.argument(depth + 1))
        if name == "sqrt":
            return self.root(depth)
        if name in GREEK:
            return self.variable(name, depth)
        if name in FUNCTIONS:
            return self.function(name, depth)
        if name in ("lfloor", "lceil"):
            node = self.expression(depth + 1)
            self.take("\\rfloor" if name == "lfloor" else "\\rceil")
            return ("call", "floor" if name == "lfloor" else "ceil", node)
        raise Unreadable(f"command {name}")

    def derivative(self, depth: int) -> Node | None:
        """``\\frac{\\partial f}{\\partial x}``, ``\\frac{dy}{dx}``: a name of its own, since what is derived is not known."""
        if self.peek() != "{" or self.peek(1) not in ("\\partial", "d"):
            return None
        below = next(
            (n for n in range(len(self.tokens) - self.position) if self.peek(n) == "}" and self.peek(n + 1) == "{"),
            None,
        )
        if below is None or self.peek(below + 2) != self.peek(1) or self.kind(below + 3) not in ("letter", "command"):
            return None
        start = self.position
        while self.take() != "}":
            pass
        above = [token.text for token in self.tokens[start : self.position]]
        if not any(text.isalpha() and text != "d" for text in above):
            raise Unreadable("a derivative of what follows")
        self.take("{")
        while self.take() != "}":
            pass
        return self._name(start)

    def opaque(self, name: str, depth: int) -> Node:
        """An operator with what it acts on: ``\\nabla\\cdot F``, ``\\nabla^2 f``."""
        start = self.position - 1
        if self.peek() == "^":
            self.take()
            self.exponent(depth + 1)
        if self.peek() in ("\\cdot", "\\times"):
            self.take()
        self.power(depth + 1)
        return self._name(start)

    def _name(self, start: int) -> Node:
        """All tokens since ``start`` as one name."""
        name = " ".join(token.text for token in self.tokens[start : self.position])
        self.variables.add(name)
        return ("var", name)

    def root(self, depth: int) -> Node:
        """``\\sqrt[n]{x}``."""
        index: Node = ("num", Fraction(2))
        if self.peek() == "[":
            self.take()
            index = self.expression(depth + 1)
            self.take("]")
        return ("call", "root", self.argument(depth + 1), index)

    def function(self, name: str, depth: int) -> Node:
        """A known function with its base, exponent and arguments."""
        base: Node | None = None
        exponent: Node | None = None
        while self.peek() in ("_", "^"):
            if self.take() == "_":
                base = self.argument(depth + 1)
            else:
                exponent = self.exponent(depth + 1)
        if base is not None and name != "log":
            raise Unreadable("subscript")
        arguments = self.call_arguments(name, depth)
        if exponent == ("neg", ("num", Fraction(1))) and name in TRIG:
            name, exponent = "arc" + name, None
        if name == "log":
            if base is None:
                self.variables.add("\\log")  # its base is not told: equal only to another \log
            node: Node = ("log", arguments[0], base)
        else:
            node = ("call", name, *arguments)
        return ("pow", node, exponent) if exponent is not None else node

    def call_arguments(self, name: str, depth: int) -> list[Node]:
        """Arguments in brackets, or the product that follows: ``\\sin 2x``."""
        if self.peek() == "(":
            self.take()
            arguments = [self.expression(depth + 1)]
            while self.peek() == ",":
                self.take()
                arguments.append(self.expression(depth + 1))
            self.take(")")
            if len(arguments) > 1 and name not in ("gcd", "lcm", "max", "min"):
                raise Unreadable("arguments")
            return arguments
        node = self.power(depth + 1) if depth < MAX_DEPTH else self._too_deep()
        while self._starts_factor() and self.peek()[1:] not in FUNCTIONS and self.peek() != "(":
            node = self._juxtapose(node, depth + 1)
        return [node]


def _is_proper(node: Node) -> bool:
    if node[0] != "div" or node[1][0] != "num" or node[2][0] != "num":
        return False
    above, below = node[1][1], node[2][1]
    return bool(below) and above.denominator == below.denominator == 1 and 0 < above < below
