"""Forks of one trajectory at its own places: what a hint would have changed there.

A sample is rolled out to its end without a hint. Then one or two of the places that it came to are chosen at random, and
from each of them branches go on, each with one hint. A branch replays the shared tokens (`selftaught.rollouts.replay`),
so that the prefix is sampled once; after it, it draws with the same random numbers.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

from selftaught.hints.places import places_of
from selftaught.hints.probing import PlacePolicy, Target, Visit
from selftaught.records import ForkPoint, Problem, StopReason
from selftaught.rollouts.loop import Rollout
from selftaught.rollouts.probe_settings import DEFAULT_HINTS, ProbeSettings
from selftaught.rollouts.replay import Did, ReplayedSequence, Step, scores_of_steps, steps_of


@dataclass(slots=True)
class Prober:
    """Makes the trajectories of a probe. Its rollout's own policy is not asked."""

    rollout: Rollout
    probe: ProbeSettings

    async def run(self, problem: Problem, sample: int) -> None:
        """One trajectory without hints, and its branches. The first one is told last: it says that all is done."""
        rollout, started = self.rollout, time.perf_counter()
        policy = self._policy(problem, sample)
        sequence, state = rollout.open(problem, sample), rollout.begin(problem, policy)
        try:
            stopped = await rollout.play(state, sequence, started)
            plain = rollout.trajectory(state, problem, sample, time.perf_counter() - started)
            plain = plain.model_copy(update={"decisions": None})
            points: list[ForkPoint] = []
            if not stopped.reason.is_failure and stopped.reason is not StopReason.TIMEOUT:
                steps, scores = steps_of(plain.spans), scores_of_steps(plain.spans)
                chosen = choose_visits(policy.visits, self.probe.forks, self._key(problem, sample))
                points = [
                    self._point(problem, sample, policy.visits[index], number, probability, steps)
                    for number, (index, probability) in enumerate(chosen)
                ]
                async with asyncio.TaskGroup() as group:
                    for point, (index, _) in zip(points, chosen, strict=True):
                        for name, hint in zip(point.branch_ids(), point.hints, strict=True):
                            target = Target(index, hint, f"probe: {hint} at {point.place}")
                            twin = ReplayedSequence(sequence.fork(), steps, scores)
                            group.create_task(self._branch(problem, sample, twin, target, point, name))
        finally:
            sequence.close()
        rollout.emit(plain.model_copy(update={"forks": points}))

    async def _branch(
        self, problem: Problem, sample: int, sequence: ReplayedSequence, target: Target, point: ForkPoint, name: str
    ) -> None:
        rollout, started = self.rollout, time.perf_counter()
        state = rollout.begin(problem, self._policy(problem, sample, target))
        try:
            await rollout.play(state, sequence, started)
        finally:
            sequence.close()
        wall_s = time.perf_counter() - started
        trajectory = rollout.trajectory(state, problem, sample, wall_s, sequence.num_shared)
        rollout.emit(trajectory.model_copy(update={"id": name, "forks": [point]}))

    def _policy(self, problem: Problem, sample: int, target: Target | None = None) -> PlacePolicy:
        settings, known = self.rollout.settings, places_of(problem.kind)
        return PlacePolicy(
            self.rollout.library,
            problem,
            [place for place in self.probe.places if place in known],
            seed=settings.sampling.seed,
            sample=sample,
            language=settings.hints.language,
            target=target,
        )

    def _key(self, problem: Problem, sample: int) -> str:
        return f"{self.rollout.settings.sampling.seed}\x00{problem.id}\x00{sample}"

    def _point(
        self, problem: Problem, sample: int, visit: Visit, number: int, probability: float, steps: Sequence[Step]
    ) -> ForkPoint:
        hints = self.probe.hints
        if not hints:
            known = [name for name in DEFAULT_HINTS[problem.kind] if name in self.rollout.library.functions]
            hints = tuple(
                shuffled(known, f"{self._key(problem, sample)}\x00{number}\x00hints")[: self.probe.hints_each]
            )
        return ForkPoint(
            id=f"{problem.id}#{sample}@{number}",
            place=visit.place,
            token=visit.token,
            probability=round(probability, 6),
            prefix_tokens=num_drawn_before(steps, visit.token),
            features=visit.features,
            hints=list(hints),
        )


def choose_visits(visits: Sequence[Visit], most: int, key: str) -> list[tuple[int, float]]:
    """(number of the visit, probability with which it was chosen), in the order of the trajectory.

    First ``most`` kinds of places are drawn without repetition among those that were visited, each as likely; then one
    visit of each.
    """
    kinds = sorted({visit.place for visit in visits})
    drawn = shuffled(kinds, f"{key}\x00places")[:most]
    chosen = []
    for kind in drawn:
        numbers = [number for number, visit in enumerate(visits) if visit.place == kind]
        number = numbers[int(_uniform(f"{key}\x00{kind}") * len(numbers))]
        chosen.append((number, len(drawn) / len(kinds) / len(numbers)))
    return sorted(chosen)


def num_drawn_before(steps: Sequence[Step], token: int) -> int:
    """Tokens that the model had sampled when ``token`` tokens stood after the prompt, those taken back among them."""
    start = next((at for at, (did, _) in enumerate(steps) if did is not Did.PUT), len(steps))
    after = [did for did, _ in steps[start:] if did is not Did.TOOK_BACK]
    return sum(did is Did.DREW for did in after[:token])


def shuffled(names: Sequence[str], key: str) -> list[str]:
    """``names`` in an order that depends on ``key`` and on them alone."""
    return sorted(names, key=lambda name: (_uniform(f"{key}\x00{name}"), name))


def _uniform(key: str) -> float:
    """A number in [0, 1), hashed from what it is drawn for."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=7).digest(), "big") / 2**56
