"""One loaded model for all tests of the interface."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import selftaught as st

QUESTION = "What is the remainder when 7^2023 is divided by 1000?"


@pytest.fixture(scope="session")
def toy() -> Iterator[st.Model]:
    """The embedded model, with a sandbox that imports little."""
    with st.load("toy", preload=["math"], max_tokens=600) as model:
        yield model


@pytest.fixture(scope="session")
def question() -> str:
    """A question that the model answers wrong by hand and right with Python."""
    return QUESTION
