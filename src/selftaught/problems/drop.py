"""``--drop 'answer in proof,notfound,'``: rules that leave rows out, each counted.

A rule is ``FIELD OPERATOR VALUE``. The field is one of our keys as mapped, or a column or dotted path of the row as it
stands in the file. A value that is not there counts as the empty text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from selftaught.errors import ConfigError
from selftaught.problems.fields import at_path, number_text
from selftaught.problems.rows import Row

_RULE = re.compile(
    r"(?P<field>\S+?)\s*(?:\s(?P<word>not\s+in|in|is\s+not|is|contains)\b|(?P<sign>==|!=|<=|>=|=|<|>))\s*(?P<value>.*)",
    re.DOTALL,
)
_EXPECTED = (
    "expected FIELD in A,B · FIELD not in A,B · FIELD = A · FIELD != A · FIELD < 3 · FIELD is empty · FIELD contains A"
)


@dataclass(frozen=True)
class DropRule:
    """One rule; ``text`` is what the user wrote."""

    text: str
    field: str
    operator: str
    values: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> DropRule:
        """ConfigError when the text is no rule."""
        match = _RULE.fullmatch(text.strip())
        if match is None:
            raise ConfigError(f"drop {text!r} cannot be read; {_EXPECTED}.")
        operator = re.sub(r"\s+", " ", match["word"] or match["sign"])
        value = match["value"]
        values: tuple[str, ...] = (_unquoted(value),)
        if operator in ("in", "not in"):
            # A comma at the end stands for the empty value: `answer in proof,` drops rows without an answer too.
            values = tuple(_unquoted(item) for item in value.split(","))
        elif operator in ("is", "is not") and value.strip().lower() in ("empty", "null", "none", "missing"):
            operator, values = ("=" if operator == "is" else "!="), ("",)
        elif operator in ("<", "<=", ">", ">=") and _number(values[0]) is None:
            raise ConfigError(f"drop {text!r} compares with {value.strip()!r}; expected a number after {operator}.")
        return cls(text.strip(), match["field"], {"==": "=", "is": "=", "is not": "!="}.get(operator, operator), values)

    def matches(self, row: Row, mapped: Row) -> bool:
        """Whether the row goes."""
        value = at_path(mapped, self.field)
        if value is None:
            value = at_path(row, self.field)
        held = _text(value)
        if self.operator in ("in", "="):
            return held in self.values
        if self.operator in ("not in", "!="):
            return held not in self.values
        if self.operator == "contains":
            return self.values[0] in held
        number, limit = _number(held), _number(self.values[0])
        if number is None or limit is None:
            return False
        return {"<": number < limit, "<=": number <= limit, ">": number > limit, ">=": number >= limit}[self.operator]


def parse_rules(given: str | Sequence[str] | None) -> tuple[DropRule, ...]:
    """Rules of a repeated option, or of a recipe's text or list."""
    if not given:
        return ()
    return tuple(DropRule.parse(text) for text in ([given] if isinstance(given, str) else given))


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"" else text


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value)
    return str(value).strip()


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
