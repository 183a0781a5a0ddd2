"""What a check found is said with the key, the value and what was expected, never in pydantic's words."""

from __future__ import annotations

from enum import Enum
from typing import Literal

import pytest
from pydantic import Field, ValidationError

from selftaught.complaints import complaint, shown
from selftaught.records import Record


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Inner(Record):
    share: float = Field(default=0.5, gt=0, le=1)


class Outer(Record):
    name: str = Field(min_length=1)
    count: int = Field(default=1, ge=1)
    on: bool = True
    colour: Colour = Colour.RED
    side: Literal["left", "right"] = "left"
    inner: Inner = Inner()
    rows: list[Inner] = Field(default_factory=list)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"name": "", "count": 1}', "name is ''; expected a text that is not empty."),
        ('{"name": 3}', "name is 3; expected a text."),
        ('{"name": "x", "count": 0}', "count is 0; expected at least 1."),
        ('{"name": "x", "count": "many"}', "count is 'many'; expected a whole number."),
        ('{"name": "x", "on": "perhaps"}', "on is 'perhaps'; expected true or false."),
        ('{"name": "x", "colour": "green"}', "colour is 'green'; expected one of red, blue."),
        ('{"name": "x", "side": "up"}', "side is 'up'; expected one of left, right."),
        ('{"name": "x", "inner": 3}', "inner is 3; expected a mapping."),
        ('{"name": "x", "inner": null}', "inner is empty; expected a mapping."),
        ('{"name": "x", "rows": {}}', "rows is {}; expected a list."),
        ('{"name": "x", "rows": [{"share": 2}]}', "rows.0.share is 2; expected at most 1."),
        ('{"name": "x", "conut": 1}', "conut: no such key. Did you mean count?"),
        ('{"nmae": "x"}', "nmae: no such key. Did you mean name?"),
        ("{}", "name is missing."),
        ("[1]", "the line is [1]; expected a mapping."),
        ('{"name"', "not JSON (EOF while parsing an object at line 1 column 7)."),
    ],
)
def test_a_mistake_is_said_in_our_words(text: str, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate_json(text)
    assert complaint(caught.value, Outer.model_fields) == said


def test_a_value_is_short() -> None:
    assert len(shown("x" * 10_000)) <= 80 and shown(float("nan")) == "nan" and shown(2.0) == "2"
    assert shown(1e300) == "1e+300" and shown(True) == "true" and shown(None) == "empty"
