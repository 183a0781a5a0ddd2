"""What a rollout does next, and what comes back: the messages between `RolloutState` and its driver.

``next_action`` gives `Generate`, `RunCode`, `InsertHint` or `Stop`; ``apply`` takes `Sampled`, `Executed`, `Inserted`
or `Failed`.
"""

from __future__ import annotations

from dataclasses import dataclass

from selftaught.engines.base import Sampled, SampleRequest
from selftaught.records import HintInfo, StopReason, ToolInfo


@dataclass(frozen=True, slots=True)
class Generate:
    """Append ``extend``, then sample."""

    extend: list[int]
    request: SampleRequest


@dataclass(frozen=True, slots=True)
class RunCode:
    """Run ``code``. The interpreter itself keeps the cells that this trajectory ran before.

    ``num_discarded`` sampled ids are taken back first: the end token after a block that was the last thing in a turn.
    """

    code: str
    num_discarded: int = 0


@dataclass(frozen=True, slots=True)
class InsertHint:
    """Take back ``num_discarded`` sampled ids and insert a hint.

    With ``branch`` the driver forks first: the copy goes without the hint and ends its thinking here.
    """

    info: HintInfo
    token_ids: list[int]
    text: str
    num_discarded: int
    branch: bool


@dataclass(frozen=True, slots=True)
class Stop:
    """The trajectory is over."""

    reason: StopReason
    error: str | None = None


Action = Generate | RunCode | InsertHint | Stop


@dataclass(frozen=True, slots=True)
class Executed:
    """Result of `RunCode`."""

    info: ToolInfo


@dataclass(frozen=True, slots=True)
class Inserted:
    """`InsertHint` was done."""


@dataclass(frozen=True, slots=True)
class Failed:
    """An action could not be done, or the trajectory is stopped from outside."""

    reason: StopReason
    error: str | None = None


Result = Sampled | Executed | Inserted | Failed
