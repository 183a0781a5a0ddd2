from __future__ import annotations

from collections.abc import Iterator

import pytest

from selftaught.grading import Grader


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    """One grader with its workers for a whole module."""
    with Grader(workers=1, test_timeout_s=3.0) as grader:
        yield grader
