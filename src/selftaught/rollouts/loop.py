"""The driver: performs the actions of a `RolloutState` on an engine and an interpreter, for one trajectory.

``action = state.next_action()``, ``result = await perform(action)``, ``state.apply(result)``, until `Stop`. At a branch
(end-of-thinking rounds recorded apart) the sequence is forked and the twin is driven by a task of its own. So it is at
the first hint, where the same run without hints is recorded too (``plain``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from selftaught.engines.base import Engine, Sequence, SequenceKey
from selftaught.errors import EngineError, SandboxError
from selftaught.hints import HintLibrary, HintPolicy
from selftaught.problems import messages_of
from selftaught.records import Problem, StopReason, ToolInfo, Trajectory, trajectory_id, utc_now
from selftaught.rollouts.actions import Executed, Failed, Generate, Inserted, InsertHint, RunCode, Stop
from selftaught.rollouts.live import Live
from selftaught.rollouts.pieces import Watcher
from selftaught.rollouts.replay import ReplayedSequence, scores_of_steps, steps_of
from selftaught.rollouts.settings import RolloutSettings
from selftaught.rollouts.state import RolloutState
from selftaught.rollouts.tools import Interpreter, ToolBox

Emit = Callable[[Trajectory], None]


def _at_once() -> float:
    return 0.0


@dataclass(slots=True)
class Rollout:
    """Everything that the trajectories of one run share."""

    engine: Engine
    settings: RolloutSettings
    library: HintLibrary
    policy_name: str
    tools: ToolBox | None
    render: Callable[[Problem], str]
    emit: Emit
    watcher: Watcher | None = None
    """Sees every piece of a trajectory as it comes; of one with branches, the trunk alone."""
    pace: Callable[[], float] = _at_once
    """Seconds between two pieces of what the model says; asked anew after each."""
    plain: Rollout | None = None
    """The same run without hints: it shares every trajectory's tokens up to the first hint."""

    async def run(self, problem: Problem, sample: int, prompt: list[int] | None = None) -> None:
        """Roll one sample of one problem out; ``emit`` gets one trajectory, or one for each recorded round.

        ``prompt``: the ids of the rendered chat, if somebody has made them already.
        """
        state = self.begin(problem, self._policy(problem, sample), prompt)
        sequence = self.open(problem, sample)
        live = Live(state, self.watcher, self.pace) if self.watcher is not None else None
        await self._drive(
            state, sequence, problem, sample, time.perf_counter(), forks_plain=self.plain is not None, live=live
        )

    def branch(
        self, problem: Problem, sample: int, sequence: Sequence, state: RolloutState, started: float
    ) -> Coroutine[Any, Any, None]:
        """Roll the sample out beside a trajectory that is in ``state`` now, sharing what it has sampled so far.

        ``sequence`` holds the ids of ``state`` but for those that the engine is still to be given; it is closed.
        """
        sequence.extend(state.ledger.pending)  # the prompt, before a hint at the start; a call's output
        spans = state.spans()
        replayed = ReplayedSequence(sequence, steps_of(spans), scores_of_steps(spans))
        own = self.begin(problem, self._policy(problem, sample))
        return self._drive(own, replayed, problem, sample, started)

    def begin(self, problem: Problem, policy: HintPolicy | None, prompt: list[int] | None = None) -> RolloutState:
        """A trajectory that has not begun. ``prompt`` as in ``run``."""
        codec, settings = self.engine.codec, self.settings
        if prompt is None:
            prompt = codec.encode_messages(messages_of(problem, self.render(problem), settings.sampling.system))
        return RolloutState(problem, prompt, codec, settings, policy, max_context=self.engine.max_context)

    def open(self, problem: Problem, sample: int) -> Sequence:
        """An empty sequence of the engine."""
        settings = self.settings.sampling
        return self.engine.open(SequenceKey(settings.seed, problem.id, sample), settings.params())

    async def play(
        self,
        state: RolloutState,
        sequence: Sequence,
        started: float,
        before_hint: Callable[[InsertHint], None] | None = None,
        live: Live | None = None,
    ) -> Stop:
        """Drive one trajectory to its end. ``started`` is when its sample began: the limit of time counts from there."""
        # Of its own, for a branch too: variables that one branch sets must not be seen by another. What the shared
        # cells printed comes from the cache, or is run again.
        interpreter = self.tools.interpreter() if self.tools is not None else None
        deadline = self.settings.sampling.trajectory_timeout_s
        try:
            async with asyncio.timeout(
                None if deadline is None else max(0.0, started + deadline - time.perf_counter())
            ):
                while not isinstance(action := state.next_action(), Stop):
                    if before_hint is not None and isinstance(action, InsertHint):
                        before_hint(action)
                    await self._perform(action, state, sequence, interpreter, live)
                stopped = action
        except TimeoutError:
            stopped = Stop(StopReason.TIMEOUT, f"not done within {deadline:g} s")
            state.apply(Failed(stopped.reason, stopped.error))
        finally:
            if live is not None:
                live.close()
            if interpreter is not None:
                await interpreter.close()
        if live is not None:
            live.end()
        return stopped

    def _policy(self, problem: Problem, sample: int) -> HintPolicy | None:
        settings = self.settings
        if self.policy_name == "none":
            return None
        return HintPolicy(
            self.library,
            self.policy_name,
            problem,
            seed=settings.sampling.seed,
            sample=sample,
            rounds=settings.hints.rounds,
            language=settings.hints.language,
            keeps_features=settings.sampling.logprobs != "none",
        )

    async def _drive(
        self,
        state: RolloutState,
        sequence: Sequence,
        problem: Problem,
        sample: int,
        started: float,
        *,
        forks_plain: bool = False,
        live: Live | None = None,
    ) -> None:
        """Drive one trajectory to its end, and each branch that it forks off."""
        branches: list[asyncio.Task[None]] = []
        plain = self.plain if forks_plain else None
        is_open = True

        def fork(action: InsertHint) -> None:
            nonlocal plain
            if action.branch:
                twin = self._drive(state.fork_natural(), sequence.fork(), problem, sample, started)
                branches.append(asyncio.create_task(twin))
            elif plain is not None:
                beside = plain.branch(problem, sample, sequence.fork(), state, started)
                branches.append(asyncio.create_task(beside))
                plain = None

        try:
            stopped = await self.play(state, sequence, started, fork, live)
            if plain is not None and (stopped.reason.is_failure or stopped.reason is StopReason.TIMEOUT):
                # What the engine holds now is not known.
                branches.append(asyncio.create_task(plain.run(problem, sample)))
            elif plain is not None:  # no hint was inserted; still, the plain run may pause and so end elsewhere
                branches.append(asyncio.create_task(plain.branch(problem, sample, sequence, state, started)))
                is_open = False
        except asyncio.CancelledError:
            for branch in branches:  # a cancelled task does not cancel the tasks that it started
                branch.cancel()
            raise
        finally:
            if is_open:
                sequence.close()
        shared = sequence.num_shared if isinstance(sequence, ReplayedSequence) else None
        self._emit(state, problem, sample, time.perf_counter() - started, shared)
        if branches:
            await asyncio.gather(*branches)

    async def _perform(
        self,
        action: Generate | RunCode | InsertHint,
        state: RolloutState,
        sequence: Sequence,
        interpreter: Interpreter | None,
        live: Live | None,
    ) -> None:
        try:
            if isinstance(action, Generate):
                sequence.extend(action.extend)
                request = action.request
                if live is not None:
                    live.sampling()
                    request = replace(request, on_token=live.token)
                sampled = await sequence.sample(request)
                if live is not None:
                    live.sampled(sampled.token_ids)
                state.apply(sampled)
            elif isinstance(action, RunCode):
                if interpreter is None:
                    raise SandboxError("tools are on, but the rollout has no sandbox.")
                sequence.discard(action.num_discarded)
                if live is not None:
                    live.take_back(action.num_discarded)
                    live.running(action.code)
                info: ToolInfo = await interpreter.run(action.code)
                state.apply(Executed(info))
            else:
                sequence.discard(action.num_discarded)
                if live is not None:
                    live.take_back(action.num_discarded)
                state.apply(Inserted())
        except EngineError as error:
            state.apply(Failed(StopReason.ENGINE_ERROR, str(error)))
        except SandboxError as error:
            state.apply(Failed(StopReason.SANDBOX_ERROR, str(error)))
        if live is not None:
            live.applied()

    # -------------------------------------------------------------------------------------------------------- emitting

    def _emit(
        self, state: RolloutState, problem: Problem, sample: int, wall_s: float, shared_tokens: int | None
    ) -> None:
        settings = self.settings.hints
        rounds: list[int | None] = [None]
        if settings.record_rounds:
            # A branch that ended its thinking here is round r alone. One that ended otherwise would have done the same
            # with any larger number of rounds, so it stands for all of them.
            rounds = [state.round] if state.ended_naturally else list(range(state.round, settings.rounds + 1))
        trajectory = self.trajectory(state, problem, sample, wall_s, shared_tokens)
        for round_ in rounds:
            self.emit(trajectory.model_copy(update={"id": trajectory_id(problem.id, sample, round_), "round": round_}))

    def trajectory(
        self, state: RolloutState, problem: Problem, sample: int, wall_s: float, shared_tokens: int | None = None
    ) -> Trajectory:
        """The record of a trajectory that has ended."""
        stopped = state.next_action()
        assert isinstance(stopped, Stop)
        return Trajectory(
            id=trajectory_id(problem.id, sample),
            problem_id=problem.id,
            sample=sample,
            seed=self.settings.sampling.seed,
            model=self.engine.name,
            condition=self.settings.condition,
            text_only=self.engine.text_only,
            spans=state.spans(),
            stop_reason=stopped.reason,
            error=stopped.error,
            shared_tokens=shared_tokens,
            decisions=state.policy.decisions if state.policy is not None else None,
            wall_s=round(wall_s, 4),
            created_at=utc_now(),
        )
