"""What the routes share: the open model, its names, the limits, the record."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field

from selftaught.records import Problem, StopReason
from selftaught.rollouts.opening import in_manner
from selftaught.rollouts.settings import RolloutSettings
from selftaught.serve.admission import Admission
from selftaught.serve.backend import Backend
from selftaught.serve.errors import ApiError
from selftaught.serve.messages import problem_of
from selftaught.serve.metrics import Metrics
from selftaught.serve.models import Catalog
from selftaught.serve.options import ServeOptions
from selftaught.serve.parts import Ended
from selftaught.serve.recording import Recorder
from selftaught.serve.requests import Asked, fresh_sample
from selftaught.serve.tracing import Tracer
from selftaught.serve.turns import Turn

LOG = logging.getLogger("selftaught.serve")


@dataclass(slots=True)
class Server:
    """One server. Its parts are safe to use from the loop that answers HTTP."""

    backend: Backend
    catalog: Catalog
    options: ServeOptions = field(default_factory=ServeOptions)
    recorder: Recorder | None = None
    metrics: Metrics = field(default_factory=Metrics)
    tracer: Tracer = field(default_factory=Tracer)
    admission: Admission = field(init=False)
    started: float = field(init=False, default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.admission = Admission(self.options.max_running, self.options.max_queue)
        self.metrics.watch(self.admission)

    def turns(
        self, chat: list[dict[str, str]], asked: Asked, num_choices: int = 1, problem_id: str | None = None
    ) -> list[Turn]:
        """The turns that answer a chat, one for each choice. `ApiError` 400 when the chat cannot be asked."""
        settings = in_manner(asked.settings, self.backend.manner)
        problem = problem_of(chat, problem_id)
        prompt = self._prompt(problem, settings)
        draws = settings.sampling.temperature > 0 and not asked.has_seed
        first = fresh_sample() if draws and self.recorder is None else 0
        turns = []
        for choice in range(num_choices):
            if self.recorder is None:
                turns.append(Turn(problem, settings, first + choice, prompt))
                continue
            place = self.recorder.place(problem, asked.settings, asked.variant)
            sample = place.sample if draws else choice
            turns.append(Turn(place.problem, settings, sample, prompt, record=place))
        return turns

    def count(self, asked: Asked, ended: Ended, request_id: str = "") -> None:
        """Count and trace a finished answer; `ApiError` when its engine or sandbox failed."""
        self.metrics.ended(asked.variant.id, ended)
        self.tracer.answer(asked.variant.id, ended, request_id)
        if ended.stop.is_failure:
            LOG.warning("an answer ended by %s: %s", ended.stop.value, ended.error)
            raise failure_of(ended)

    def _prompt(self, problem: Problem, settings: RolloutSettings) -> list[int]:
        from selftaught.errors import EngineError

        try:
            prompt = self.backend.prompt_of(problem, settings)
        except EngineError as error:  # the template's own words, such as that roles must alternate
            raise ApiError(400, str(error), param="messages", code="invalid_messages") from None
        most = self.backend.engine.max_context
        if len(prompt) >= most:
            raise ApiError(
                400,
                f"the messages have {len(prompt)} tokens; this model's context is {most} tokens.",
                param="messages",
                code="context_length_exceeded",
            )
        return prompt


def failure_of(ended: Ended) -> ApiError:
    """What a client is told of an answer that its engine or sandbox could not finish."""
    part = "sandbox" if ended.stop is StopReason.SANDBOX_ERROR else "model"
    return ApiError(503, f"the {part} failed: {ended.error or ended.stop.value}", code=ended.stop.value)
