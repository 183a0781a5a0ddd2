"""Score: the grade and the facts of tool use joined for one trajectory, and the texts that filters look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from selftaught.curation.records import Facts
from selftaught.records import ExecStatus, Grade, Outcome, ProblemKind, SpanSource, ToolInfo, Trajectory
from selftaught.tokens import fences

THINK_END = "</think>"


@dataclass
class Candidate:
    """One trajectory under curation with everything that the filters ask for, computed at most once."""

    trajectory: Trajectory
    grade: Grade | None
    kind: ProblemKind
    source: str
    contaminated: bool = False
    _calls: list[ToolInfo] | None = field(default=None, repr=False)

    @property
    def calls(self) -> list[ToolInfo]:
        """Interpreter calls in order."""
        if self._calls is None:
            self._calls = self.trajectory.tool_calls()
        return self._calls

    @property
    def correct(self) -> bool:
        """The grader's verdict; False without a grade."""
        return self.grade is not None and self.grade.correct

    @cached_property
    def facts(self) -> Facts:
        """The joined score."""
        model = total = hints = errors = 0
        for span in self.trajectory.spans:
            count = len(span.token_ids)
            total += count
            if span.source is SpanSource.MODEL:
                model += count
            elif span.hint is not None:
                hints += 1
        for call in self.calls:
            errors += call.status is not ExecStatus.OK
        return Facts(
            outcome=self.grade.outcome if self.grade else Outcome.ERROR,
            correct=self.correct,
            num_tokens=total,
            num_model_tokens=model,
            num_calls=len(self.calls),
            num_errors=errors,
            num_hints=hints,
            last_call_ok=not self.calls or self.calls[-1].status is ExecStatus.OK,
        )

    @cached_property
    def model_text(self) -> str:
        """Text sampled by the model, all spans joined."""
        return "".join(span.text for span in self.trajectory.spans if span.source is SpanSource.MODEL)

    @cached_property
    def thinking_before_call(self) -> str:
        """Text after the prompt up to the first call's output, the code itself left out."""
        parts = []
        for span in self.trajectory.spans:
            if span.tool is not None:
                break
            if span.source is not SpanSource.PROMPT:
                parts.append(span.text)
        text = "".join(parts)
        code = next((block for block in reversed(fences.blocks(text)) if block.is_python), None)
        return text[: code.start] if code is not None else text
