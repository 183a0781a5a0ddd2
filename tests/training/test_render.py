"""Labels follow from span sources: -100 on exactly the tokens whose source carries no loss."""

from __future__ import annotations

import random

import pytest

from selftaught.errors import DataError
from selftaught.records import Span, SpanSource, StopReason, Trajectory
from selftaught.training.render import IGNORE_INDEX, POLICIES, LossPolicy, render


def random_trajectory(rng: random.Random, number: int) -> Trajectory:
    """Spans of random sources, some empty, ids unique by position so that nothing can be mixed up."""
    spans = []
    next_id = rng.randrange(1000)
    sources = (
        [SpanSource.PROMPT] + [rng.choice(list(SpanSource)) for _ in range(rng.randrange(0, 12))] + [SpanSource.MODEL]
    )
    for source in sources:
        count = rng.choice([0, 1, 1, 2, 5, 30])
        ids = list(range(next_id, next_id + count))
        next_id += count
        spans.append(Span(source=source, token_ids=ids, text="".join(chr(0x4E00 + i % 5000) for i in ids)))
    return Trajectory(id=f"p{number}#0", problem_id=f"p{number}", spans=spans, stop_reason=StopReason.ANSWERED)


@pytest.mark.parametrize("name", [*POLICIES, "random"])
def test_labels_on_a_thousand_random_trajectories(name: str) -> None:
    rng = random.Random(name)
    for number in range(1000):
        trajectory = random_trajectory(rng, number)
        policy = POLICIES.get(name) or LossPolicy.model_validate({s.value: rng.randrange(2) for s in SpanSource})
        row = render(trajectory, policy)
        assert row.input_ids == trajectory.token_ids()
        sources = [span.source for span in trajectory.spans for _ in span.token_ids]
        assert len(row.labels) == len(row.input_ids) == len(sources)
        for source, token, label in zip(sources, row.input_ids, row.labels, strict=True):
            assert label == (token if policy.weight(source) else IGNORE_INDEX)
        # The decoded text is what the model saw.
        assert "".join(chr(0x4E00 + i % 5000) for i in row.input_ids) == "".join(span.text for span in trajectory.spans)


def test_the_default_masks_prompt_tool_and_control_only() -> None:
    policy = LossPolicy()
    assert {s for s in SpanSource if policy.weight(s)} == {SpanSource.MODEL, SpanSource.HINT}
    assert {s for s in SpanSource if POLICIES["model_only"].weight(s)} == {SpanSource.MODEL}


def test_text_without_ids_is_refused() -> None:
    trajectory = random_trajectory(random.Random(0), 0).model_copy(update={"text_only": True})
    with pytest.raises(DataError, match="without token ids"):
        render(trajectory, LossPolicy())
