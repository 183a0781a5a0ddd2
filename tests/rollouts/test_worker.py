"""The part of a rollout inside one process."""

from __future__ import annotations

from selftaught.rollouts.opening import num_sandbox_workers
from selftaught.rollouts.settings import RolloutSettings
from selftaught.rollouts.worker import Setup


def test_a_server_is_kept_busy_while_tools_run() -> None:
    here, served = (
        Setup("toy", RolloutSettings(max_rows=32)),
        Setup("http://127.0.0.1:8000/v1", RolloutSettings(max_rows=32)),
    )
    assert (here.in_flight, served.in_flight) == (36, 64)
    assert [num_sandbox_workers(one.settings, one.model) for one in (here, served)] == [2, 8]
    assert num_sandbox_workers(RolloutSettings(sandbox_workers=3), served.model) == 3
