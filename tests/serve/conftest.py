from __future__ import annotations

from collections.abc import Iterator

import pytest

from selftaught.serve.backend import Backend

from .living import Living, living, opened


@pytest.fixture(scope="session")
def backend() -> Iterator[Backend]:
    """The embedded reasoner with its sandbox, once for all tests of the server."""
    with opened() as one:
        yield one


@pytest.fixture(scope="session")
def server(backend: Backend) -> Iterator[Living]:
    """A server without keys and without a record."""
    with living(backend) as one:
        yield one
