"""Which forks a probe makes, and what of them a folder still lacks."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from selftaught.records import ProblemKind, Trajectory
from selftaught.rollouts.settings import Group

DEFAULT_PLACES = ("paragraph", "word", "conclusion", "end")
_MATHS_HINTS = (
    "complex_calculations",
    "self_reflection",
    "check_logic",
    "alternative_method",
    "general",
    "think_deeper",
)
DEFAULT_HINTS: dict[ProblemKind, tuple[str, ...]] = {
    ProblemKind.MATH: _MATHS_HINTS,
    ProblemKind.CHOICE: _MATHS_HINTS,
    ProblemKind.CODE: ("debug", "general", "check_again", "think_deeper"),
}
"""Hints that are tried where none are named: those of the paper's policy, for code also plain ones."""


class ProbeSettings(Group):
    """Which forks a probe makes."""

    places: tuple[str, ...] = DEFAULT_PLACES
    """Places that may be forked."""
    forks: int = Field(default=2, ge=1, le=6)
    """Most places of one trajectory, each of another kind."""
    hints: tuple[str, ...] = ()
    """Hints to try at each place; without any, some of the paper's are drawn."""
    hints_each: int = Field(default=3, ge=1, le=20)
    """Hints drawn for each place, where none are named."""

    @property
    def most_branches(self) -> int:
        """Most branches of one trajectory beside itself."""
        return self.forks * (len(self.hints) or self.hints_each)


def incomplete_samples(trajectories: Iterable[Trajectory]) -> set[tuple[str, int]]:
    """(problem, sample) of those whose first trajectory is there, but not all of its branches."""
    seen: set[str] = set()
    wanted: dict[str, tuple[str, int]] = {}
    for one in trajectories:
        seen.add(one.id)
        for point in one.forks or ():
            wanted |= dict.fromkeys(point.branch_ids(), (one.problem_id, one.sample))
    return {key for name, key in wanted.items() if name not in seen}
