"""Values that cross between a check and a program: what arrives is equal, plain and new."""

from __future__ import annotations

import ast
import collections
import datetime
import json
import math
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selftaught.grading import crossing
from selftaught.grading.crossing import pack, unpack

KEYS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
VALUES = st.recursive(
    KEYS | st.complex_numbers(allow_nan=False) | st.decimals(allow_nan=False) | st.fractions() | st.dates(),
    lambda parts: (
        st.lists(parts)
        | st.lists(parts).map(tuple)
        | st.dictionaries(KEYS | st.tuples(KEYS), parts)
        | st.sets(KEYS)
        | st.frozensets(KEYS)
        | st.lists(parts).map(collections.deque)
    ),
    max_leaves=12,
)


@settings(max_examples=50, deadline=None)
@given(VALUES)
def test_plain_values_cross(value: Any) -> None:
    there = unpack(json.loads(json.dumps(pack(value))))
    assert there == value and type(there) is type(value)


class Point(NamedTuple):
    x: int
    y: int


class Colour(IntEnum):
    RED = 3


@pytest.mark.parametrize(
    ("value", "arrives"),
    [
        (10**3000, 10**3000), (-0.0, -0.0), (float("inf"), float("inf")), (range(2, 9, 3), range(2, 9, 3)),
        (collections.Counter("aab"), {"a": 2, "b": 1}), (collections.defaultdict(int, {1: 2}), {1: 2}), (Point(1, 2), (1, 2)),
        (Colour.RED, 3), ({1: 2}.keys(), {1}), ({1: 2}.items(), {(1, 2)}), ({1: 2}.values(), [2]), (bytearray(b"a"), bytearray(b"a")),
        (datetime.datetime(2020, 1, 2, 3), datetime.datetime(2020, 1, 2, 3)), (datetime.timedelta(1, 2, 3), datetime.timedelta(1, 2, 3)),
        (Decimal("0.10"), Decimal("0.10")), (Fraction(1, 3), Fraction(1, 3)), ("\ud800", "\ud800"), (math.pi, math.pi),
    ],
    ids=range(18),
)  # fmt: skip
def test_subclasses_and_views_arrive_plain(value: Any, arrives: Any) -> None:
    there = unpack(json.loads(json.dumps(pack(value))))
    assert there == arrives and type(there) is type(arrives) and repr(there) == repr(arrives)


def test_iterators_and_numpy() -> None:
    numpy = pytest.importorskip("numpy")
    assert list(unpack(pack(n * n for n in range(3)))) == [0, 1, 4]
    assert unpack(pack(numpy.arange(4).reshape(2, 2))) == [[0, 1], [2, 3]]
    assert unpack(pack([numpy.int64(3), numpy.float64(0.5), numpy.bool_(True)])) == [3, 0.5, True]


class Equal:
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


class Whole(int):
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


@pytest.mark.parametrize(
    "value", [Equal(), [Equal()], {1: Equal()}, object(), len, lambda: 0, Exception(), iter(int, 1)]
)
def test_other_objects_do_not_cross(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crossing, "MAX_ITEMS", 1000)
    with pytest.raises(TypeError):
        pack(value)


def test_an_integer_that_is_equal_to_everything_arrives_as_its_number() -> None:
    there = unpack(pack(Whole(9)))
    assert there != 2 and type(there) is int


@pytest.mark.parametrize(
    "text", ['{"Fraction": "x"}', '{"x": []}', '{"set": [[1]]}', "{}", '{"int": "z"}', '{"range": [1, 2, 0]}']
)
def test_what_pack_cannot_have_made_is_refused(text: str) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        unpack(json.loads(text))


def test_the_file_stands_alone() -> None:
    """It is sent as text into interpreters that have no `selftaught`."""
    import sys

    tree = ast.parse(Path(crossing.__file__).read_text("utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} - {"__future__"} <= sys.stdlib_module_names
