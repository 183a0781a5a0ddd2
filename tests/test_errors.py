"""Messages: the first mistake that pydantic names, in one line, and long texts cut."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError, model_validator

from selftaught.errors import first_mistake, shorten


class Inner(BaseModel):
    count: int


class Outer(BaseModel):
    inner: Inner

    @model_validator(mode="after")
    def _check(self) -> Outer:
        if self.inner.count < 0:
            raise ValueError("count is below 0")
        return self


@pytest.mark.parametrize(
    ("content", "whole", "message"),
    [
        ('{"inner": {"count": "x"}}', "line", "inner.count: Input should be a valid integer"),
        ('{"inner": {"count": -1}}', "", "count is below 0"),
        ('{"inner": ', "line", "line: Invalid JSON"),
    ],
)
def test_first_mistake_names_the_key_or_the_whole(content: str, whole: str, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate_json(content)
    assert first_mistake(caught.value, whole).startswith(message)


def test_a_long_text_keeps_its_beginning() -> None:
    assert shorten("abc", 3) == "abc"
    assert shorten("abcd", 3) == "abc…"
