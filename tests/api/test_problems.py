"""Problems as values: from mappings in any known shape, or as they are."""

from __future__ import annotations

import pytest

import selftaught as st

ROWS = [{"problem": "1+1?", "answer": "2"}, {"problem": "2+2?", "answer": "4"}]


def test_mappings_are_read_as_rows_of_a_file() -> None:
    problems = st.load_problems(ROWS, limit=1)
    assert [(one.problem, one.answer) for one in problems] == [("1+1?", "2")]
    assert st.load_problems(problems) == problems
    mapped = st.load_problems([{"q": "1+1?", "a": "2"}], map={"problem": "q", "answer": "a"})
    assert mapped[0].answer == "2"
    assert len(st.load_problems([*ROWS, {"problem": "x", "answer": "1", "level": 5}], drop="level > 3")) == 2


def test_what_cannot_be_read_is_named() -> None:
    with pytest.raises(st.DataError, match="problem 2"):
        st.load_problems([ROWS[0], {"problem": "no answer"}])
    with pytest.raises(st.ConfigError, match="map and drop"):
        st.load_problems(st.load_problems(ROWS), map={"problem": "q"})
    with pytest.raises(st.ConfigError, match="problem 2 is int"):
        st.load_problems([ROWS[0], 7])  # type: ignore[list-item]
