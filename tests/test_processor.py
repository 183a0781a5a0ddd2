"""What this CPU is fast at: asked only where it has the instructions."""

from __future__ import annotations

import pytest

from selftaught import processor

pytest.importorskip("torch")


def test_a_processor_without_the_instructions_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "cpu_flags", frozenset)
    monkeypatch.setattr(processor, "measure_bfloat16", lambda: pytest.fail("measured"))
    processor.is_bfloat16_fast.cache_clear()
    assert not processor.is_bfloat16_fast()
    assert processor.describe_cpu().startswith("float32 (this")
    processor.is_bfloat16_fast.cache_clear()


def test_the_measure_is_a_ratio() -> None:
    assert 0.01 < processor.measure_bfloat16() < 100
