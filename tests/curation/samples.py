"""Small hand-made trajectories: a character is a token, so that expected ids can be read."""

from __future__ import annotations

import json
from pathlib import Path

from selftaught.records import (
    ExecStatus,
    Grade,
    HintInfo,
    HintPosition,
    Outcome,
    Problem,
    ProblemKind,
    Span,
    StopReason,
    ToolInfo,
    Trajectory,
)


class CharacterCodec:
    """One token a character."""

    def encode(self, text: str) -> list[int]:
        return [ord(c) for c in text]

    def encode_control(self, text: str) -> list[int]:
        return self.encode(text)

    def decode(self, token_ids: list[int]) -> str:
        return "".join(map(chr, token_ids))


CODEC = CharacterCodec()


def span(source: str, text: str, **fields: object) -> Span:
    """A span whose ids are its characters."""
    return Span.model_validate({"source": source, "text": text, "token_ids": CODEC.encode(text), **fields})


def tool(output: str, code: str = "print(6 * 7)", status: ExecStatus = ExecStatus.OK) -> Span:
    """An output block."""
    info = ToolInfo(code=code, status=status, output=output, wall_s=0.01)
    return span("tool", f"```output\n{output}\n```\n", tool=info)


def hint(text: str) -> Span:
    """A hint after "Wait"."""
    return span("hint", text, hint=HintInfo(id="general", position=HintPosition.AFTER_WORD, reason="drawn"))


def hinted(problem: str = "p1", sample: int = 0, *, answer: str = "42", extra: str = "", calls: int = 1) -> Trajectory:
    """A hinted trajectory with ``calls`` calls and a final answer."""
    spans = [span("prompt", "<q><think>\n"), span("model", f"I try by hand. {extra}Wait")]
    spans.append(hint(", maybe using Python here is a good idea.\n```python\n"))
    for _ in range(calls):
        spans += [span("model", "print(6 * 7)\n```\n"), tool("42")]
    spans.append(span("model", f"So it is {answer}.\n</think>\nThe answer is \\boxed{{{answer}}}.<|im_end|>"))
    return Trajectory(
        id=f"{problem}#{sample}", problem_id=problem, sample=sample, spans=spans, stop_reason=StopReason.ANSWERED
    )


def plain(problem: str = "p1", sample: int = 0, *, answer: str = "41") -> Trajectory:
    """A trajectory without any call."""
    text = f"I try by hand: {answer}.\n</think>\nThe answer is \\boxed{{{answer}}}.<|im_end|>"
    spans = [span("prompt", "<q><think>\n"), span("model", text)]
    return Trajectory(
        id=f"{problem}#{sample}", problem_id=problem, sample=sample, spans=spans, stop_reason=StopReason.ANSWERED
    )


def grade(trajectory: Trajectory, correct: bool, outcome: Outcome | None = None, extracted: str = "42") -> Grade:
    """A verdict."""
    return Grade(
        trajectory_id=trajectory.id,
        problem_id=trajectory.problem_id,
        outcome=outcome or (Outcome.CORRECT if correct else Outcome.WRONG),
        correct=correct,
        extracted=extracted,
        path="integer",
    )


def problem(name: str, kind: ProblemKind = ProblemKind.MATH, family: str = "f") -> Problem:
    """A problem of that id."""
    return Problem(id=name, problem=f"Question {name}?", kind=kind, answer="42", metadata={"family": family})


def read_lines(path: Path) -> list[dict[str, object]]:
    """Decoded lines of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text().splitlines()]
