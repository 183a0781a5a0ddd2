"""Are two maths answers the same? A thin layer round math-verify.

Fast paths first, each sure of its verdict: equal spelling, integers, words, number bases, shapes taken apart, values of
plain expressions. What none of them can decide goes to math-verify in a worker process, gold first. ``path`` tells which
decided.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from selftaught.errors import SelftaughtError
from selftaught.grading.expression import Expression, TooLarge, Unreadable, evaluate, parse_expression, same_value
from selftaught.grading.normalize import normalize
from selftaught.grading.structure import Shape, shape_of, split_equation, split_relations, split_top
from selftaught.grading.units import Measured, split_unit
from selftaught.grading.workers import MathVerdict

MAX_ANSWER_CHARS = 4_000
"""A longer answer is right only when it is spelt like the reference or is an integer."""
MAX_SLOW_CHARS = 600
"""A longer one is not given to math-verify."""
MAX_PARTS = 64

Slow = Callable[[str, str], MathVerdict]
"""math-verify on (gold, prediction)."""


@dataclass(frozen=True)
class MathsResult:
    """``path`` names the rule that decided, ``reason`` says more where there is more to say."""

    correct: bool
    path: str
    reason: str = ""


_INTEGER = re.compile(r"([-+]?)0*([0-9]+?)(?:\.0*)?")
_PERCENT = re.compile(
    r"(.+?)\s*(?:%|\\text\{\s*(?:percent|pct|per cent|percentage|%)\s*\}|(?<![A-Za-z])(?:percent|pct))$"
)
_BASED = re.compile(
    r"\(?(?:\\text\{)?([0-9A-Za-z.]*\d[0-9A-Za-z.]*|[A-F]+)\}?\)?_\{?(?:\\text\{)?(\d{1,2}|two|three|four|five|six|seven|eight|nine|ten|twelve|sixteen)\}{0,2}"
)
_BASE_WORDS = re.compile(
    r"([0-9A-Fa-f]+)\s*(?:\\text\{)?\s*\(?(?:in\s+)?base[\s-]*(\d{1,2}|two|three|four|five|six|seven|eight|nine|ten|twelve|sixteen)\)?\s*\}?"
)
_NUMBER_WORDS = {word: value for value, word in enumerate(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty".split())}  # fmt: skip
_MODULUS = re.compile(
    r"(.*?)\s*\(?\s*(?:\\pmod\s*\{?([^{}]+)\}?|\\p?b?mod\s*\{?([^{}()]+)\}?|(?:\\text\{\s*)?\(?mod\s*\}?\s*\{?([^{}()]+)\}?)\s*\)?"
)
_ASSIGNMENT = re.compile(
    r"(?:\\[A-Za-z]+|[A-Za-z](?:_\{?\w+\}?)?'*|[A-Za-z]\([A-Za-z](?:,\s*[A-Za-z])*\)|\|?[A-Z]{2,3}\|?|\\text\{[^{}]*\}|\\angle\s*[A-Z]+|\\overline\{[A-Z]+\}|[A-Za-z]+\([A-Za-z0-9]+\))"
)
_TEXT = re.compile(r"\\text\{([^{}]*)\}")
_EMPTY = frozenset({"\\emptyset", "no solution", "no solutions", "none", "no real solution", "no real solutions", "empty set", "the empty set", "does not exist", "dne", "no such", "undefined"})  # fmt: skip


def grade_maths(gold: str, prediction: str, slow: Slow) -> MathsResult:
    """Compare an extracted answer with the reference."""
    if gold.strip() == prediction.strip():
        return MathsResult(True, "string")
    integers = _compare_integers(gold.strip(), prediction.strip())
    if integers is not None:
        return MathsResult(integers, "integer")
    wanted, given = normalize(gold), normalize(prediction)
    if _squeeze(wanted) == _squeeze(given):
        return MathsResult(bool(wanted), "string")
    integers = _compare_integers(wanted, given)
    if integers is not None:
        return MathsResult(integers, "integer")
    if len(given) > MAX_ANSWER_CHARS or not given:
        return MathsResult(False, "too_long" if given else "empty")
    try:
        return _Comparison(slow).compare(wanted, given)
    except SelftaughtError:
        raise
    except (Exception, RecursionError) as error:  # an answer that trips the fast paths is math-verify's to judge
        if max(len(wanted), len(given)) > MAX_SLOW_CHARS:
            return MathsResult(False, "error", type(error).__name__)
        verdict = slow(wanted, given)
        return MathsResult(verdict.equal, "math_verify", verdict.reason or f"after {type(error).__name__}")


def _squeeze(text: str) -> str:
    return text.replace(" ", "")


def _compare_integers(gold: str, prediction: str) -> bool | None:
    """Both whole numbers (leading zeros, ``.0``): compared as digits, so that length does not matter."""
    a, b = _INTEGER.fullmatch(gold), _INTEGER.fullmatch(prediction)
    if not a or not b:
        return None
    return a[2] == b[2] and (a[2] == "0" or (a[1] == "-") == (b[1] == "-"))


class _Comparison:
    """One comparison; counts its calls of math-verify so that a long list cannot take for ever."""

    def __init__(self, slow: Slow) -> None:
        self.slow = slow
        self.slow_calls_left = 3
        self.slow_reason = ""
        self.path = ""

    def compare(self, gold: str, given: str) -> MathsResult:
        correct = self.same(gold, given, 0)
        return MathsResult(correct, self.path or "structure", self.slow_reason)

    def decide(self, path: str, verdict: bool) -> bool:
        self.path = path
        return verdict

    # ------------------------------------------------------------------------------------------------- one answer

    def same(self, gold: str, given: str, depth: int) -> bool:
        """Same answer, whatever its shape."""
        if _squeeze(gold) == _squeeze(given):
            return self.decide("string", True)
        if depth > 6:
            return False
        for rule in (self._words, self._bases, self._modulus, self._membership):
            verdict = rule(gold, given, depth)
            if verdict is not None:
                return verdict
        label = _LABELLED.fullmatch(given)
        if label and not _LABELLED.fullmatch(gold):
            return self.same(
                gold,
                label[1] if re.fullmatch(r"\(?(?:\\text\{)?\(?[A-E]\)?\}?\)?", gold) else label[2].strip(),
                depth + 1,
            )
        gold, given = _expand_plus_minus(gold), _expand_plus_minus(given)
        gold, given = _set_builder(gold), _set_builder(given)
        relation = self._relations(gold, given, depth)
        if relation is not None:
            return relation
        equation = self._equations(gold, given, depth)
        if equation is not None:
            return equation
        if _REAL_LINE in (_real_line(gold), _real_line(given)):
            gold, given = _real_line(gold), _real_line(given)
        a, b = shape_of(_without_label(gold)), shape_of(_without_label(given))
        if a.kind == b.kind == "scalar":
            return self._scalars(gold, given, depth)
        verdict = self._shapes(a, b, gold, given, depth)
        return verdict

    # -------------------------------------------------------------------------------------------------- the rules

    def _words(self, gold: str, given: str, depth: int) -> bool | None:
        """Answers in words: names, true/false, "no solution", "five"."""
        a, b = _words_of(gold), _words_of(given)
        if _is_empty(gold, a) and _is_empty(given, b):
            return self.decide("text", True)
        if _has_word(gold) and _has_word(given) and _fold_text(gold) == _fold_text(given):
            return self.decide("text", True)
        if a is not None and b is None and a in _NUMBER_WORDS:
            return self.same(str(_NUMBER_WORDS[a]), given, depth + 1)
        if b is not None and a is None and b in _NUMBER_WORDS:
            return self.same(gold, str(_NUMBER_WORDS[b]), depth + 1)
        if a is None or b is None:
            if (a is None) != (b is None) and _has_long_word(gold if b is None else given):
                return self._words_against_maths(gold, given, a)
            if (a is None) != (b is None) and not _is_letters(gold if a is None else given):
                if a is not None and _mentions(given, a):
                    return self.decide("text", True)
                return None
            return None
        if len(a) == 1 and len(b) == 1:
            return self.decide("text", _letter_of(gold) == _letter_of(given))
        if _fold_words(a) == _fold_words(b):
            return self.decide("text", True)
        first, second = _word_list(a), _word_list(b)
        return self.decide("text", len(first) > 1 and first == second)

    def _words_against_maths(self, gold: str, given: str, gold_words: str | None) -> bool | None:
        """One side is words, the other is not: different, unless the other is no plain value or formula either."""
        other = given if gold_words is not None else gold
        if _TEXT_PREFIX.match(other) or _parsed(other) is None and shape_of(other).kind == "scalar":
            return None
        return self.decide("text", False)

    def _bases(self, gold: str, given: str, depth: int) -> bool | None:
        """``52_9`` is neither ``52_8`` nor ``52``: without a base a number is decimal."""
        a, b = _based(gold), _based(given)
        if a is None and b is None:
            return None
        if a is None or b is None:
            base, other = (a, given) if a else (b, gold)
            assert base
            return self.decide("base", base == (other.lstrip("0"), 10))
        return self.decide("base", a == b)

    def _modulus(self, gold: str, given: str, depth: int) -> bool | None:
        a, b = _MODULUS.fullmatch(gold), _MODULUS.fullmatch(given)
        if not a and not b:
            return None
        first, second = (a[1].strip() if a else gold), (b[1].strip() if b else given)
        if not first or not second:
            return None
        first, second = split_top(first, r"\equiv")[-1], split_top(second, r"\equiv")[-1]
        if a and b:
            modulus, other = next(filter(None, a.groups()[1:])), next(filter(None, b.groups()[1:]))
            if not self.same(modulus.strip(), other.strip(), depth + 1):
                return self.decide("modulus", False)
            if all(re.fullmatch(r"-?\d{1,30}", text) for text in (first, second, modulus.strip())) and int(modulus):
                return self.decide("modulus", (int(first) - int(second)) % int(modulus) == 0)
        return self.same(first, second, depth + 1)

    def _membership(self, gold: str, given: str, depth: int) -> bool | None:
        """``x \\in S`` is ``S``."""
        a, b = _after_in(gold), _after_in(given)
        if a is None and b is None:
            return None
        return self.same(a or gold, b or given, depth + 1)

    def _relations(self, gold: str, given: str, depth: int) -> bool | None:
        """``-1<x\\le 2`` is ``(-1,2]``; other inequalities go on."""
        if not re.search(r"<|>|\\[lg]e(?![A-Za-z])|\\ne(?![A-Za-z])", gold + given):
            return None
        a, b = _as_intervals(gold), _as_intervals(given)
        if a is not None and b is not None:
            verdict = self._match_unordered([*a], [*b], depth, self._same_interval)
            return self.decide("interval", verdict)
        return self._ask(gold, given)

    def _equations(self, gold: str, given: str, depth: int) -> bool | None:
        """``x=5`` is ``5``; two equations must be the same one."""
        a, b = _equation_list(gold), _equation_list(given)
        if a is None and b is None:
            return None
        if a is not None and b is not None:
            return self._two_equations(a, b, gold, given, depth)
        values = _values_of(a or b or [])
        if values is None:
            equation, other = (a, given) if a is not None else (b, gold)
            if a is None and equation is not None and len(equation) == 1 and not _is_condition(equation[0]):
                return self.same(gold, equation[0][-1], depth + 1)
            if _parsed(other) is not None:
                return self.decide("equation", False)
            return self._ask(gold, given)
        in_order = ",".join(sides[-1] for sides in a or b or [])
        is_list = shape_of(given if a is not None else gold).kind == "list"
        forms = [in_order] if is_list else [values, f"({in_order})"] if values.startswith("(") else [values]
        for text in dict.fromkeys(forms):
            if self.same(text if a is not None else gold, given if a is not None else text, depth + 1):
                return True
        return False

    def _two_equations(self, a: list[list[str]], b: list[list[str]], gold: str, given: str, depth: int) -> bool:
        if len(a) != len(b):
            return self.decide("equation", False)
        named_a, named_b = all(_is_name(e[0]) for e in a), all(_is_name(e[0]) for e in b)
        if named_a and named_b:
            names_a, names_b = sorted(_squeeze(e[0]) for e in a), sorted(_squeeze(e[0]) for e in b)
            if names_a == names_b or len(a) == 1 and _same_role(a[0][0], b[0][0]):

                def one(first: list[str], second: list[str], level: int) -> bool:
                    same_name = _squeeze(first[0]) == _squeeze(second[0]) or len(a) == 1
                    return same_name and self.same(first[-1], second[-1], level)

                return self._match_unordered(a, b, depth, one)
        if len(a) == 1:
            verdict = _same_equation(a[0], b[0])
            if verdict is not None:
                return self.decide("equation", verdict)
        return self._ask(gold, given)

    # ------------------------------------------------------------------------------------------------------ shapes

    def _shapes(self, a: Shape, b: Shape, gold: str, given: str, depth: int) -> bool:
        if max(len(a.parts), len(b.parts)) > MAX_PARTS:
            return self.decide("structure", False)
        kinds = {a.kind, b.kind}
        if kinds == {"union"} or ("union" in kinds and kinds <= {"union", "interval", "tuple"}):
            return self._unions(a, b, gold, given, depth)
        if kinds <= {"set", "list"}:
            return self._match_unordered([*a.parts], [*b.parts], depth, self._same_part)
        if kinds <= {"tuple", "interval"}:
            return self._ordered_pair(a, b, depth)
        if "matrix" in kinds and kinds <= {"matrix", "tuple"}:
            return self._matrices(a, b, depth)
        if kinds <= {"set", "list", "scalar"} and 1 in (len(a.parts), len(b.parts)):
            first = a.parts[0] if len(a.parts) == 1 else gold
            second = b.parts[0] if len(b.parts) == 1 else given
            if len(a.parts) == len(b.parts):
                return self.same(first, second, depth + 1)
            return self.decide("structure", False)
        if "scalar" in kinds and kinds & {"union", "matrix", "empty", "set", "interval"}:
            if _parsed(gold if a.kind == "scalar" else given) is not None:
                return self.decide("structure", False)
            return self._ask(gold, given)
        return self.decide("structure", False)

    def _ordered_pair(self, a: Shape, b: Shape, depth: int) -> bool:
        angled = "<>" in (a.brackets, b.brackets)
        if len(a.parts) == 2 and a.brackets != b.brackets and not angled:
            infinite = any("\\infty" in part for part in a.parts)
            return self.decide("interval" if infinite or "interval" in (a.kind, b.kind) else "structure", False)
        return self._all_same(a.parts, b.parts, depth)

    def _matrices(self, a: Shape, b: Shape, depth: int) -> bool:
        if a.kind == b.kind and a.columns != b.columns:
            return self.decide("structure", False)
        for shape in (a, b):
            if a.kind != b.kind and shape.kind == "matrix" and shape.columns not in (1, len(shape.parts)):
                return self.decide("structure", False)
        return self._all_same(a.parts, b.parts, depth)

    def _all_same(self, first: tuple[str, ...], second: tuple[str, ...], depth: int) -> bool:
        if len(first) != len(second):
            return self.decide("structure", False)
        verdict = all(self._same_part(x, y, depth + 1) for x, y in zip(first, second, strict=True))
        return self.decide("structure" if self.path != "math_verify" else self.path, verdict)

    def _same_part(self, gold: str, given: str, depth: int) -> bool:
        return self.same(gold, given, depth + 1)

    def _unions(self, a: Shape, b: Shape, gold: str, given: str, depth: int) -> bool:
        first, second = _as_intervals(gold), _as_intervals(given)
        if first is None or second is None:
            return self._ask(gold, given)
        return self.decide("interval", self._match_unordered([*first], [*second], depth, self._same_interval))

    def _same_interval(self, a: _Interval, b: _Interval, depth: int) -> bool:
        return a.brackets == b.brackets and self.same(a.low, b.low, depth + 1) and self.same(a.high, b.high, depth + 1)

    def _match_unordered(self, first: list, second: list, depth: int, same: Callable[..., bool]) -> bool:  # type: ignore[type-arg]
        """Every part finds a partner of its own."""
        if len(first) != len(second):
            return self.decide("structure", False)
        left = list(second)
        for item in first:
            partner = next((n for n, other in enumerate(left) if item == other), None)
            if partner is None:
                partner = next((n for n, other in enumerate(left) if same(item, other, depth + 1)), None)
            if partner is None:
                return False
            left.pop(partner)
        return self.decide("structure" if self.path != "math_verify" else self.path, True)

    # ----------------------------------------------------------------------------------------------------- scalars

    def _scalars(self, gold: str, given: str, depth: int) -> bool:
        chain = _approximation(given)
        if chain and not _approximation(gold):
            return any(self.same(gold, side, depth + 1) for side in chain)
        prefix = _TEXT_PREFIX.match(given)
        if prefix and not _TEXT_PREFIX.match(gold):
            return self.same(gold, prefix[1], depth + 1)
        scaled_gold, scaled_given = _scale_words(gold), _scale_words(given)
        if (scaled_gold, scaled_given) != (gold, given):
            return self.same(scaled_gold, scaled_given, depth + 1)
        percent = self._percent(gold, given, depth)
        if percent is not None:
            return percent
        a, b = split_unit(gold), split_unit(given)
        if a.number != gold or b.number != given:
            return self._measured(a, b, depth)
        first, second = _parsed(gold), _parsed(given)
        if first is not None and second is not None:
            verdict = same_value(first, second)
            if verdict is not None:
                return self.decide("value" if not first.variables else "identity", verdict)
            if _is_huge(first) != _is_huge(second):
                return self.decide("value", False)
        return self._ask(gold, given)

    def _percent(self, gold: str, given: str, depth: int) -> bool | None:
        """``50%`` is ``0.5``, and ``50`` where a percentage was asked for; ``0.5`` is not ``0.5%``."""
        a, b = _PERCENT.fullmatch(gold), _PERCENT.fullmatch(given)
        if not a and not b:
            return None
        if a and b:
            return self.same(a[1], b[1], depth + 1)
        number, other = (a[1], given) if a else (b[1] if b else "", gold)
        first, second = _parsed(number), _parsed(split_unit(other).number)
        if first is None or second is None or first.variables or second.variables:
            return self.same(a[1] if a else gold, b[1] if b else given, depth + 1)
        try:
            percent, plain = evaluate(first, {}), evaluate(second, {})
            if isinstance(percent, Fraction) and isinstance(plain, Fraction):
                return self.decide("percent", percent / 100 == plain or (percent == plain and abs(percent) >= 1))
        except (Unreadable, TooLarge):
            pass
        return self.same(number, other, depth + 1)

    def _measured(self, a: Measured, b: Measured, depth: int) -> bool:
        if a.dimension and b.dimension and a.dimension != b.dimension:
            return self.decide("unit", False)
        if a.dimension and b.dimension and a.factor != b.factor:
            first, second = _parsed(a.number), _parsed(b.number)
            if first is None or second is None or first.variables or second.variables:
                return self.decide("unit", False)
            try:
                x, y = evaluate(first, {}), evaluate(second, {})
            except (Unreadable, TooLarge):
                return self.decide("unit", False)
            exact = isinstance(x, Fraction) and isinstance(y, Fraction)
            return self.decide("unit", exact and x * a.factor == y * b.factor)
        return self.same(a.number, b.number, depth + 1)

    def _ask(self, gold: str, given: str) -> bool:
        """math-verify, the base of it all."""
        self.path = "math_verify"
        if len(gold) > MAX_SLOW_CHARS or len(given) > MAX_SLOW_CHARS:
            self.slow_reason = "too long for math-verify"
            return False
        if self.slow_calls_left <= 0:
            self.slow_reason = "too many parts for math-verify"
            return False
        self.slow_calls_left -= 1
        verdict = self.slow(gold, given)
        self.slow_reason = verdict.reason
        if verdict.reason in ("timeout", "killed", "died"):
            self.slow_calls_left = 0
        return verdict.equal


# ---------------------------------------------------------------------------------------------------------- helpers


@dataclass(frozen=True)
class _Interval:
    low: str
    high: str
    brackets: str


def _parsed(text: str) -> Expression | None:
    try:
        return parse_expression(text)
    except (Unreadable, TooLarge, RecursionError, ValueError, OverflowError):
        return None


def _is_huge(expression: Expression) -> bool:
    try:
        evaluate(expression, dict.fromkeys(expression.variables, Fraction(7, 3)))
    except TooLarge:
        return True
    except Unreadable:
        return False
    return False


def _words_of(text: str) -> str | None:
    """The answer's words when it is made of words alone; None for anything with mathematics in it."""
    if _TEXT.search(text):
        outside = _TEXT.sub("", text).strip(" .,()^{}_")
        words = " ".join(match[1] for match in _TEXT.finditer(text))
        if outside and not re.fullmatch(r"[A-Za-z ]{2,}", outside):
            return None
        plain = re.sub(r"\s+", " ", _TEXT.sub(lambda match: " " + match[1] + " ", text)).strip(" .")
        if re.search(r"\d", plain):
            return None
        del words
        return plain.strip("() .").casefold() or None
    plain = text.strip("() .")
    if re.fullmatch(r"[A-Za-z][A-Za-z'’. -]*[A-Za-z.]", plain) and not _is_formula(plain):
        return plain.casefold().strip(" .")
    return None


_FORMULA_WORDS = re.compile(r"(?:sqrt|pi|sin|cos|tan|log|ln|exp|inf|oo|e|i)+")


def _is_formula(text: str) -> bool:
    """A product of variables such as ``xy``, or a name of a function, rather than a word."""
    return (
        bool(_FORMULA_WORDS.fullmatch(text))
        or (len(text) <= 3 and text.islower() and not re.search("[aeiou]", text[1:]))
        or (len(text) <= 2)
    )


def _fold_words(words: str) -> str:
    words = re.sub(r"\b(?:the|a|an)\b", " ", words)
    return re.sub(r"[^a-z0-9]+", "", words)


def _word_list(words: str) -> list[str]:
    """Folded items of "red, blue and green", in order of the alphabet."""
    return sorted(filter(None, (_fold_words(item) for item in re.split(r",|;|\band\b|\bor\b", words))))


def _has_long_word(text: str) -> bool:
    """A word of four letters or more: certainly no product of variables."""
    return bool(re.search(r"(?<![\\A-Za-z])[A-Za-z]{4,}", text.replace("\\text", ""))) or len(text.split()) > 8


def _has_word(text: str) -> bool:
    """A word of two letters or more, apart from commands."""
    plain = re.sub(r"(?<=[A-Za-z])\.", "", text.replace("\\text", ""))
    return bool(re.search(r"(?<![\\A-Za-z])[A-Za-z]{2,}", plain))


def _fold_text(text: str) -> str:
    """Words and numbers without case, spaces, ``\\text`` and the dots of abbreviations."""
    text = re.sub(r"(?<=[A-Za-z])\.", "", text.replace("\\text", " ")).casefold()
    return re.sub(r"\b(?:the|a|an)\b(?!m)|[{}\s,]", "", text)


def _letter_of(text: str) -> str:
    return re.sub(r"\\text|[^A-Za-z]", "", text)


_TEXT_PREFIX = re.compile(r"^\\text\{[^{}]*\}\s*[:=]?\s*([^\s{}].*)$", re.DOTALL)
_SCALES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_SCALED = re.compile(
    r"^(.*[\d}])\s*(?:\\text\{\s*)?(hundred|thousand|million|billion|trillion)\b\s*([^{}]*)\}?$", re.IGNORECASE
)


def _scale_words(text: str) -> str:
    """``1.5 million dollars`` → ``(1.5)*10^6 dollars``."""
    match = _SCALED.match(text)
    if not match:
        return text
    rest = f"\\text{{ {match[3].strip()}}}" if match[3].strip() else ""
    return f"({match[1]})*10^{{{_SCALES[match[2].lower()]}}}{rest}"


_LABELLED = re.compile(r"(?:\\text\{\s*)?\(([A-E])\)\s*\}?\s*:?\s*(.+)", re.DOTALL)
"""``(A) 42``: an option's letter before its value."""
_SET_BUILDER = re.compile(r"\\\{\s*([A-Za-z])(?:\s*\\in\s*\\mathbb\{R\})?\s*(?:\||\\mid|:)\s*(.+?)\s*\\\}", re.DOTALL)


def _set_builder(text: str) -> str:
    """``\\{x \\mid x>3\\}`` is ``x>3``."""
    match = _SET_BUILDER.fullmatch(text)
    return match[2] if match and match[1] in match[2] and re.search(r"<|>|\\[lgn]e(?![A-Za-z])", match[2]) else text


def _is_letters(text: str) -> bool:
    return bool(re.fullmatch(r"[A-Za-z ]+", text))


def _mentions(text: str, words: str) -> bool:
    """``\\text{(C)} 4`` names the letter C of the reference: only for a letter in brackets."""
    return len(words) == 1 and bool(re.match(rf"\(?(?:\\text\{{)?\(?{re.escape(words)}\)", text, re.IGNORECASE))


def _is_empty(text: str, words: str | None) -> bool:
    return text in ("\\emptyset", "\\{\\}", "\\{ \\}") or (words or "") in _EMPTY


def _based(text: str) -> tuple[str, int] | None:
    match = _BASED.fullmatch(text) or _BASE_WORDS.fullmatch(text)
    if not match:
        return None
    base = _NUMBER_WORDS.get(match[2]) if not match[2].isdigit() else int(match[2])
    if base is None and match[2] == "sixteen":
        base = 16
    digits = match[1].upper()
    if not base or not 2 <= base <= 36 or any(not c.isalnum() and c != "." for c in digits):
        return None
    if any(int(c, 36) >= base for c in digits if c != "."):
        return None
    return digits.lstrip("0") or "0", base


def _after_in(text: str) -> str | None:
    match = re.match(r"[A-Za-z](?:_\{?\w+\}?)?\s*\\in(?![A-Za-z])\s*(.+)$", text)
    return match[1].strip() if match else None


def _expand_plus_minus(text: str) -> str:
    """``1\\pm\\sqrt{2}`` → ``1+\\sqrt{2},1-\\sqrt{2}``, for the first sign; all signs of one answer go together."""
    if not re.search(r"\\(?:pm|mp)(?![A-Za-z])", text) or len(text) > 300:
        return text
    pieces = split_top(text, ",")
    expanded: list[str] = []
    for piece in pieces:
        if re.search(r"\\(?:pm|mp)(?![A-Za-z])", piece):
            if shape_of(piece).kind not in ("scalar",):
                return text
            expanded.append(
                re.sub(r"\\mp(?![A-Za-z])\s*", "-", re.sub(r"\\pm(?![A-Za-z])\s*", "+", piece))
                .lstrip("+")
                .replace("=+", "=")
            )
            expanded.append(
                re.sub(r"\\mp(?![A-Za-z])\s*", "+", re.sub(r"\\pm(?![A-Za-z])\s*", "-", piece))
                .lstrip("+")
                .replace("=+", "=")
            )
        else:
            expanded.append(piece)
    return ",".join(expanded)


def _as_intervals(text: str) -> list[_Interval] | None:
    """A union of intervals, from interval notation, from inequalities in one variable, or ``x \\ne a``."""
    text = _real_line(_after_in(text) or text)
    without = re.fullmatch(r"(?:\\mathbb\{R\}|\(-\\infty,\s*\\infty\))\s*(?:\\setminus|-)\s*\\\{(.+)\\\}", text)
    if without:
        return _without_points(split_top(without[1], ","))
    intervals: list[_Interval] = []
    for piece in split_top(text, r"\cup"):
        for alternative in re.split(r"\\text\{\s*or\s*\}|(?<![A-Za-z\\])or(?![A-Za-z])", piece):
            found = _interval(alternative.strip().strip(","))
            if found is None:
                return None
            intervals.extend(found)
    return intervals or None


_REAL_LINE = "(-\\infty,\\infty)"


def _real_line(text: str) -> str:
    """All ways of saying "all real numbers" as one interval."""
    plain = re.sub(r"\\text|[{}]", "", text).strip().casefold()
    return (
        _REAL_LINE
        if plain in ("\\mathbbr", "all real numbers", "all reals", "all real x", "(-\\infty,+\\infty)")
        else text
    )


def _without_label(text: str) -> str:
    """``A(1,2)`` names a point: the label says nothing."""
    match = re.fullmatch(r"[A-Z]'?(\(.*,.*\))", text)
    return match[1] if match else text


def _without_points(points: list[str]) -> list[_Interval] | None:
    """The real line without some points, which must be numbers to be put in order."""
    values: list[tuple[float, str]] = []
    for point in points:
        parsed = _parsed(point)
        if parsed is None or parsed.variables:
            return None
        try:
            values.append((float(evaluate(parsed, {})), point))
        except (Unreadable, TooLarge, TypeError, ValueError, OverflowError):
            return None
    edges = ["-\\infty", *(point for _, point in sorted(values)), "\\infty"]
    return [_Interval(low, high, "()") for low, high in zip(edges, edges[1:], strict=False)]


def _interval(text: str) -> list[_Interval] | None:
    shape = shape_of(text)
    if shape.kind in ("interval", "tuple") and len(shape.parts) == 2 and shape.brackets != "<>":
        return [_Interval(shape.parts[0], shape.parts[1], shape.brackets)]
    if re.search(r"\\ne(?![A-Za-z])", text):
        sides = re.split(r"\\ne(?![A-Za-z])", text)
        if len(sides) == 2 and _is_name(sides[0].strip()):
            point = sides[1].strip()
            return [_Interval("-\\infty", point, "()"), _Interval(point, "\\infty", "()")]
        return None
    sides, operators = split_relations(text)
    if len(sides) == 2:
        return _half_line(sides, operators[0])
    if len(sides) == 3 and _is_name(sides[1]):
        return _between(sides, operators)
    return None


def _half_line(sides: list[str], operator: str) -> list[_Interval] | None:
    left, right = sides
    greater = operator in (">", "\\ge")
    closed = operator in ("\\ge", "\\le")
    if _is_name(right) and not _is_name(left):
        left, right, greater = right, left, not greater
    if not _is_name(left) or _is_name(right):
        return None
    if greater:
        return [_Interval(right, "\\infty", ("[" if closed else "(") + ")")]
    return [_Interval("-\\infty", right, "(" + ("]" if closed else ")"))]


def _between(sides: list[str], operators: list[str]) -> list[_Interval] | None:
    low, _, high = sides
    first, second = operators
    if first in (">", "\\ge") and second in (">", "\\ge"):
        low, high, first, second = high, low, second.replace(">", "<"), first.replace(">", "<")
        first, second = first.replace("\\ge", "\\le"), second.replace("\\ge", "\\le")
    if first not in ("<", "\\le") or second not in ("<", "\\le"):
        return None
    return [_Interval(low, high, ("[" if first == "\\le" else "(") + ("]" if second == "\\le" else ")"))]


def _is_name(text: str) -> bool:
    return bool(_ASSIGNMENT.fullmatch(text.strip())) and text.strip() not in ("\\infty", "\\pi", "e", "i")


def _is_condition(sides: list[str]) -> bool:
    """``2x+y=0`` is a condition on its variables; ``\\frac{a}{b}=\\frac12`` and ``2+3=5`` give a value."""
    first = _parsed(sides[0])
    if first is None:
        return False
    return bool(first.variables) and (
        len(sides) == 2 and sides[1].strip() == "0" or bool(re.search(r"[^({\s][+-]", sides[0]))
    )


def _same_role(a: str, b: str) -> bool:
    """``f(x)`` and ``y`` both name the value of a function of x."""
    roles = {"y", "f(x)", "g(x)", "h(x)", "p(x)", "P(x)"}
    return _squeeze(a) in roles and _squeeze(b) in roles


def _equation_list(text: str) -> list[list[str]] | None:
    """Equations of a list of equations, each as its sides; None when a part is none."""
    if "=" not in text:
        return None
    shape = shape_of(text)
    inner = shape.parts if shape.kind in ("list", "set", "tuple") else (text,)
    equations = [split_equation(part) for part in inner]
    if len(equations) > 1 and len(equations[0]) > 1 and all(len(e) == 1 for e in equations[1:]):
        return [[equations[0][0], e[-1]] for e in equations]  # x=1,2,3
    return equations if all(len(e) > 1 for e in equations) else None


def _values_of(equations: list[list[str]]) -> str | None:
    """Right sides of assignments: a set for one variable, a tuple in order of name for several."""
    if not all(_is_name(sides[0]) for sides in equations):
        return None
    names = [_squeeze(sides[0]) for sides in equations]
    if len(equations) == 1:
        return equations[0][-1]
    if len(set(names)) == 1 or len({re.sub(r"_.*", "", name) for name in names}) == 1:
        return "\\{" + ",".join(sides[-1] for sides in equations) + "\\}"
    ordered = sorted(equations, key=lambda sides: _squeeze(sides[0]))
    return "(" + ",".join(sides[-1] for sides in ordered) + ")"


def _same_equation(a: list[str], b: list[str]) -> bool | None:
    """Two equations with the same solutions: their differences are proportional by a constant."""
    if len(a) != 2 or len(b) != 2:
        return None
    first, second = _parsed(f"({a[0]})-({a[1]})"), _parsed(f"({b[0]})-({b[1]})")
    if first is None or second is None:
        return None
    if first.variables != second.variables:
        return False
    names = sorted(first.variables)
    ratios = []
    for index in range(4):
        values = {
            name: Fraction(3 * index + 7 * position + 2, 5 + 2 * position + index) * (-1) ** (index * (position + 1))
            for position, name in enumerate(names)
        }
        try:
            x, y = evaluate(first, values), evaluate(second, values)
            if not isinstance(x, Fraction) or not isinstance(y, Fraction) or x == 0 or y == 0:
                return None
            ratios.append(x / y)
        except (Unreadable, TooLarge):
            return None
    return True if len(set(ratios)) == 1 else None


def _approximation(text: str) -> list[str] | None:
    """Sides of ``\\sqrt{2}\\approx 1.41``."""
    sides = [side for side in split_top(text, r"\approx") if side]
    return sides if r"\approx" in text and sides else None
