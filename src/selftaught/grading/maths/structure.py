"""The shape of an answer: one value, a tuple, an interval, a set, a list, a matrix, an equation.

Brackets carry meaning that a computer-algebra system tends to lose: ``(1,2)`` is not ``[1,2]``, order counts in a tuple and
not in a set. So shapes are taken apart here and values are compared one by one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_OPEN, _CLOSE = "([{", ")]}"
_WHOLE_MATRIX = re.compile(
    r"([(\[]?)\\begin\{([pbBvV]?matrix|smallmatrix|array)\}(?:\{[^{}]*\})?((?:(?!\\begin).)*?)\\end\{\2\}([)\]]?)(?:\^T)?",
    re.DOTALL,
)
_CONNECTIVE = re.compile(r",?\s*(?:\\text\{,?\s*(?:and|or|,)\s*\}|(?<![A-Za-z\\])(?:and|or)(?![A-Za-z]))\s*|;\s*")
_RELATION = re.compile(r"<|>|\\le(?![A-Za-z])|\\ge(?![A-Za-z])|\\ne(?![A-Za-z])")


@dataclass(frozen=True)
class Shape:
    """``kind``: scalar, tuple, interval (both brackets in ``brackets``), set, list, matrix, union, empty.

    ``parts`` are texts; a matrix has rows joined in ``parts`` with ``columns`` of them a row.
    """

    kind: str
    parts: tuple[str, ...] = ()
    brackets: str = ""
    columns: int = 0


@lru_cache(maxsize=64)  # the rules of one comparison ask for the same few shapes
def shape_of(text: str) -> Shape:
    """Take a normalised answer apart at its outermost level."""
    matrix = _WHOLE_MATRIX.fullmatch(text)
    if matrix and matrix[2] not in ("vmatrix", "Vmatrix"):
        return _matrix(matrix[3])
    unions = split_top(text, r"\cup")
    if len(unions) > 1:
        return Shape("union", tuple(unions))
    listed = _split_list(text)
    if len(listed) > 1:
        return Shape("list", tuple(listed))
    inner = _inside(text, r"\{", r"\}")
    if inner is not None:
        if not inner.strip():
            return Shape("empty")
        if re.search(r"(?<!\|)\|(?!\|)|\\mid|:", inner) and split_top(inner, ",") == [inner]:
            return Shape("scalar", (text,))
        return Shape("set", tuple(_split_list(inner)))
    inner = _inside(text, r"\langle", r"\rangle")
    if inner is not None:
        return Shape("tuple", tuple(split_top(inner, ",")), "<>")
    if text[:1] in "([" and text[-1:] in ")]" and _encloses(text):
        parts = split_top(text[1:-1], ",")
        if len(parts) == 1 and ";" in text:
            parts = split_top(text[1:-1], ";")
        if text[:2] == "[[" and all(part[:1] == "[" and part[-1:] == "]" for part in parts):
            return _nested(parts)
        if len(parts) > 1:
            kind = "tuple" if len(parts) != 2 or text[0] + text[-1] == "()" else "interval"
            return Shape(kind, tuple(parts), text[0] + text[-1])
    return Shape("scalar", (text,))


def split_top(text: str, separator: str) -> list[str]:
    """Split at ``separator`` outside all brackets; pieces are stripped."""
    if separator not in text:
        return [text.strip()]
    pieces: list[str] = []
    depth, start, index = 0, 0, 0
    while index < len(text):
        if text.startswith(("\\{", "\\langle", "\\begin"), index):
            depth += 1
            index += 2
            continue
        if text.startswith(("\\}", "\\rangle", "\\end"), index):
            depth = max(0, depth - 1)
            index += 2
            continue
        character = text[index]
        if (
            depth == 0
            and text.startswith(separator, index)
            and not (separator[0] == "\\" and text[index + len(separator) : index + len(separator) + 1].isalpha())
        ):
            pieces.append(text[start:index].strip())
            index += len(separator)
            start = index
            continue
        if character in _OPEN:
            depth += 1
        elif character in _CLOSE:
            depth = max(0, depth - 1)
        index += 1
    pieces.append(text[start:].strip())
    return pieces


def split_relations(text: str) -> tuple[list[str], list[str]]:
    """``-1<x\\le 2`` → (["-1", "x", "2"], ["<", "\\le"])."""
    operators = _RELATION.findall(text)
    return [piece.strip() for piece in _RELATION.split(text)], operators


def split_equation(text: str) -> list[str]:
    """Sides of ``a=b=c``; one piece when there is no equation."""
    return split_top(text, "=")


def _split_list(text: str) -> list[str]:
    """Pieces between top-level commas, semicolons, "and", "or"."""
    joined = _CONNECTIVE.sub(",", text)
    pieces = [piece for piece in split_top(joined, ",") if piece]
    return pieces or [text]


def _matrix(body: str) -> Shape:
    rows = [
        row
        for row in re.split(r"\\\\(?:\[[^\]]*\])?|\\cr(?![A-Za-z])", body)
        if row.strip() and row.strip() != r"\hline"
    ]
    cells = [[cell.strip() for cell in row.replace(r"\hline", "").split("&")] for row in rows]
    if not cells or len({len(row) for row in cells}) != 1:
        return Shape("scalar", (body,))
    return Shape("matrix", tuple(cell for row in cells for cell in row), columns=len(cells[0]))


def _nested(rows: list[str]) -> Shape:
    """``[[1,2],[3,4]]`` is a matrix."""
    cells = [split_top(row[1:-1], ",") for row in rows]
    if len({len(row) for row in cells}) != 1:
        return Shape("scalar", (",".join(rows),))
    return Shape("matrix", tuple(cell for row in cells for cell in row), columns=len(cells[0]))


def _inside(text: str, opening: str, closing: str) -> str | None:
    if not (text.startswith(opening) and text.endswith(closing)) or len(text) < len(opening) + len(closing):
        return None
    depth = 0
    for match in re.finditer(re.escape(opening) + "|" + re.escape(closing), text):
        depth += 1 if match.group() == opening else -1
        if depth == 0 and match.end() != len(text):
            return None
    return text[len(opening) : -len(closing)].strip()


def _encloses(text: str) -> bool:
    """The first bracket's partner is the last character."""
    depth = 0
    for index, character in enumerate(text):
        if character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
            if depth == 0:
                return index == len(text) - 1
    return False


_LOOSE_SPACE = re.compile(r"(?<!\d) | (?!\d)")


def squeeze(text: str) -> str:
    """Without spaces, but ``1 1/2`` does not become ``11/2``."""
    return _LOOSE_SPACE.sub("", text)


_NAME_OR_WORD = re.compile(
    r"\\text\{[^{}]*\}|\\[A-Za-z]+|(?:sin|cos|tan|cot|sec|csc|log|ln|exp|sqrt|max|min|gcd|lcm)(?![a-z])|[A-Za-z]"
)


def names_in(text: str) -> set[str]:
    """The one-letter names of a formula."""
    return {name for name in _NAME_OR_WORD.findall(text) if len(name) == 1}


def rename(text: str, names: dict[str, str]) -> str:
    """A formula with its one-letter names replaced, all at once."""
    return _NAME_OR_WORD.sub(lambda match: names.get(match.group(), match.group()), text)
