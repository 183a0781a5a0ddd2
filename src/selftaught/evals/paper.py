"""Published figures that stand beside ours (START, arXiv 2503.04625, table 1, and its EMNLP 2025 version)."""

from __future__ import annotations

from selftaught.evals.records import PaperFigure
from selftaught.runs.condition import Condition, LoopModel

_V1 = "START, arXiv 2503.04625, table 1"
_EMNLP = "START, EMNLP 2025 (as quoted)"
_BENCHMARKS = ("gpqa_diamond", "math500", "amc23", "aime24", "aime25", "livecodebench")

_ROWS: tuple[tuple[str, LoopModel | None, str, tuple[float | None, ...]], ...] = (
    ("QwQ-32B-Preview", LoopModel.BASE, _V1, (58.1, 90.6, 80.0, 50.0, 40.0, 41.4)),
    ("QwQ-RFT (no tools)", LoopModel.CONTROL, _V1, (58.5, 91.8, 82.5, 53.3, 33.3, 42.1)),
    ("Search-o1-32B", None, _V1, (63.6, 86.4, 85.0, 56.7, None, 33.0)),
    ("START", LoopModel.START, _V1, (63.6, 94.4, 95.0, 66.7, 47.1, 47.3)),
    ("START on R1-Distill-Qwen-32B", LoopModel.START, _EMNLP, (64.6, None, 95.0, 75.6, None, None)),
)


def paper_figures() -> tuple[PaperFigure, ...]:
    """All of them, as fractions.

    QwQ-32B and R1-Distill-Qwen-32B are not the embedded reasoner: same claims, other models.
    """
    return tuple(
        PaperFigure(
            model=model,
            condition=Condition(role).name if role else "",
            benchmark=benchmark,
            pass_at_1=round(value / 100, 4),
            source=source,
        )
        for model, role, source, values in _ROWS
        for benchmark, value in zip(_BENCHMARKS, values, strict=True)
        if value is not None
    )


WRONG_TO_RIGHT = 0.330
"""Share of the base's wrong answers that a hint made right (secondary account)."""

RIGHT_TO_WRONG = 0.104
"""Share of the base's right answers that a hint made wrong (secondary account)."""
