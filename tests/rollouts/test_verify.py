from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from selftaught.errors import ConfigError, DataError
from selftaught.records import StopReason, Trajectory
from selftaught.rollouts.verify import verify_run, verify_trajectory
from selftaught.store import write_records
from selftaught.tokens import Codec

from .playing import play


@pytest.fixture
def good(codec: Codec) -> Trajectory:
    turns = [
        "6 * 7 = 41.</think>",
        "print(6 * 7)\n```\n",
        "It is 42.\n```python\nprint(1)\n```\n",
        "</think>\\boxed{42}<|im_end|>",
    ]
    return play(codec, turns, hints="math", max_tool_calls=2)


def _drop_last(one: Trajectory) -> None:
    one.spans[-1].token_ids.pop()


def _change_text(one: Trajectory) -> None:
    one.spans[1].text += " "


def _change_id(one: Trajectory) -> None:
    one.spans[1].token_ids[0] = 65


def _other_code(one: Trajectory) -> None:
    one.tool_calls()[0].code = "import os\n"


def _split_hint(one: Trajectory) -> None:
    hint = one.spans[2]
    space = next(at for at, token_id in enumerate(hint.token_ids) if token_id > 300)
    hint.token_ids[space : space + 1] = []


def _no_discard(one: Trajectory) -> None:
    one.hints()[0].discarded_ids = []


def _reason(one: Trajectory) -> None:
    one.stop_reason = StopReason.MAX_TOKENS


def _tool_twice(one: Trajectory) -> None:
    one.spans.insert(5, one.spans[4].model_copy(deep=True))


def _tool_after_answer(one: Trajectory) -> None:
    one.spans.append(one.spans[4].model_copy(deep=True))


def _no_prompt(one: Trajectory) -> None:
    one.spans.pop(0)


def _bad_id(one: Trajectory) -> None:
    one.spans[1].token_ids[0] = 10**6


@pytest.mark.parametrize(
    "harm",
    [
        _drop_last,
        _change_text,
        _change_id,
        _other_code,
        _split_hint,
        _no_discard,
        _reason,
        _tool_twice,
        _tool_after_answer,
        _no_prompt,
        _bad_id,
    ],
)
def test_any_tampering_is_found(good: Trajectory, codec: Codec, harm: Callable[[Trajectory], None]) -> None:
    assert verify_trajectory(good, codec) is None
    harm(good)
    mismatch = verify_trajectory(good, codec)
    assert mismatch is not None and mismatch.trajectory_id == "m#0"


def test_retokenised_text_is_found(good: Trajectory, codec: Codec) -> None:
    """The same text in other tokens is what text-level loops do; inserted text must have its own encoding."""
    hint = good.spans[2]
    at = next(at for at, token_id in enumerate(hint.token_ids) if len(codec.token_bytes[token_id]) > 1)
    single = {
        codec.token_bytes[token_id]: token_id
        for token_id in range(codec.vocab_size)
        if len(codec.token_bytes[token_id]) == 1
    }
    pieces = [single[bytes([byte])] for byte in codec.token_bytes[hint.token_ids[at]]]
    hint.token_ids[at : at + 1] = pieces
    mismatch = verify_trajectory(good, codec)
    assert mismatch is not None and "encoded alone" in mismatch.problem


def test_a_file_of_them(good: Trajectory, codec: Codec, tmp_path: Path) -> None:
    write_records(tmp_path / "trajectories.jsonl", [good, good])
    first, second = verify_run(tmp_path, codec)
    assert first is None and second is not None and "twice" in second.problem
    with pytest.raises(ConfigError, match="its folder with --model"):
        list(verify_run(tmp_path))
    with pytest.raises(DataError, match="is not there"):
        list(verify_run(tmp_path / "nothing"))
