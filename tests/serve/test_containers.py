"""The table of containers without a server: names, bounds, whose turn it is to go."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, cast

import pytest

from selftaught.rollouts.tools import Interpreter
from selftaught.serve.containers import EVICTED, EXPIRED, RESTARTED, Containers, idle_seconds
from selftaught.serve.errors import ApiError


class Table(Containers):
    """With a clock that stands still, and interpreters that count how many were ended."""

    def __init__(self, **limits: Any) -> None:
        self.now, self.num_ended = 0.0, 0

        class Fake:
            async def close(self) -> None:
                pass

        def submit(work: Coroutine[Any, Any, None]) -> None:
            work.close()
            self.num_ended += 1

        super().__init__(lambda: cast(Interpreter, Fake()), submit, clock=lambda: self.now, **limits)


def test_a_name_is_its_keys_alone() -> None:
    table, other = Table(), Table()
    name = table.create("k").id
    assert table.is_of("k", name) and other.is_of("k", name), "the server knows its own after a restart"
    assert not table.is_of("l", name) and not table.is_of("", name)
    flipped = name[:-1] + ("0" if name[-1] != "0" else "1")
    for forged in (flipped, name.upper(), name[:-1], name + "0", "cntr_", "", "cntr_" + "é" * 48):
        assert not table.is_of("k", forged)
        with pytest.raises(ApiError) as caught:
            table.find("k", forged)
        assert caught.value.status == 404


def test_the_use_of_one_puts_its_end_off() -> None:
    table = Table(idle_s=10)
    container = table.create("k")
    table.enter(container)
    table.now = 11
    assert table.find("k", container.id) is container, "one in use does not expire"
    table.leave(container)
    table.now = 21
    assert table.find("k", container.id) is container
    table.now = 22
    assert table.show("k", container.id)["status"] == "expired" and table.num_ended == 1
    assert table.find("k", container.id).lost == EXPIRED


def test_what_made_it_go_is_remembered() -> None:
    table = Table(max_containers=1)
    first, second = table.create("k"), table.create("k")
    assert table.find("k", first.id).lost == EVICTED and len(table) == 1
    table.delete("k", first.id)
    for use in (table.find, table.show, table.delete):
        with pytest.raises(ApiError):
            use("k", first.id)
    assert Table().find("k", second.id).lost == RESTARTED


def test_a_key_with_many_makes_room_among_its_own() -> None:
    table = Table(max_containers=4)
    quiet = table.create("quiet")
    for _ in range(20):
        table.create("loud")
    assert table.listed("quiet") == [quiet] and len(table) == 4
    newcomer = table.create("new")
    assert table.listed("new") == [newcomer]


def test_one_made_for_a_request_goes_with_it_unless_code_ran() -> None:
    table = Table()
    lent = table.lend("k")
    table.enter(lent)
    table.leave(lent)
    assert len(table) == 0
    used = table.lend("k")
    table.enter(used)
    used.is_kept = True
    table.leave(used)
    assert table.listed("k") == [used]


def test_the_memory_of_those_that_are_gone_is_bounded() -> None:
    table = Table(max_containers=1)
    for _ in range(4_100):
        table.create("k")
    assert len(table._gone) <= 4_096


@pytest.mark.parametrize(
    "given", [7, {}, {"minutes": 5}, {"anchor": "x", "minutes": 5}, {"anchor": "last_active_at", "minutes": 0},
              {"anchor": "last_active_at", "minutes": True}, {"anchor": "last_active_at", "minutes": 10**9}],
)  # fmt: skip
def test_what_is_no_expiry_is_refused(given: Any) -> None:
    with pytest.raises(ApiError):
        idle_seconds(given)
    assert idle_seconds({"anchor": "last_active_at", "minutes": 5}) == 300 and idle_seconds(None) is None
