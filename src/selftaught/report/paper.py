"""START's published figures, to stand beside ours: another model on other problems, so shapes compare and numbers do not."""

from __future__ import annotations

from dataclasses import dataclass

BENCHMARKS = ("GPQA", "MATH500", "AMC23", "AIME24", "AIME25", "LCB")
"""GPQA Diamond (198), MATH500 (500), AMC23 (40), AIME24 (30), AIME25 (30), LiveCodeBench August to November 2024 (112)."""

SOURCE = "arXiv 2503.04625, main results table; pass@1 in per cent"


@dataclass(frozen=True)
class PaperRow:
    """One model of the paper's table; ``condition`` is ours that it corresponds to."""

    model: str
    condition: str
    scores: tuple[float | None, ...]

    def mean(self) -> float | None:
        """Mean over the six benchmarks, None if one is missing."""
        known = [score for score in self.scores if score is not None]
        return sum(known) / len(known) if len(known) == len(self.scores) else None


TABLE = (
    PaperRow("QwQ-32B-Preview", "base", (58.1, 90.6, 80.0, 50.0, 40.0, 41.4)),
    PaperRow("QwQ-RFT, no tools", "base-rft", (58.5, 91.8, 82.5, 53.3, 33.3, 42.1)),
    PaperRow("Search-o1-32B", "", (63.6, 86.4, 85.0, 56.7, None, 33.0)),
    PaperRow("START", "start", (63.6, 94.4, 95.0, 66.7, 47.1, 47.3)),
)

WRONG_TO_RIGHT = 0.330
"""Share of the base's wrong answers that a hint made right (secondary account)."""

RIGHT_TO_WRONG = 0.104
"""Share of the base's right answers that a hint made wrong (secondary account)."""


def mean_of(condition: str) -> float | None:
    """The paper's six-benchmark mean of the model that plays ``condition``, as a share."""
    mean = next((row.mean() for row in TABLE if row.condition == condition), None)
    return None if mean is None else mean / 100
