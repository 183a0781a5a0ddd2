"""Inserted text is spelled byte for byte, whatever the tokenizer does at the beginning of a text; `verify` sees it if not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selftaught.records import Problem, ProblemKind, StopReason, Trajectory
from selftaught.rollouts.actions import Executed, Generate, RunCode
from selftaught.rollouts.settings import RolloutSettings, ThinkStyle
from selftaught.rollouts.state import RolloutState
from selftaught.rollouts.verify import verify_trajectory
from selftaught.tokens import Codec
from selftaught.toy import WEIGHTS_DIR

from .sentencepiece import STYLES

TEXTS = (
    "Wait, 12 + 30", " leading blank", "  two  blanks", "trailing \n", "\n```python\nprint('é')\n```\n", "12345678901234567890",
    "中文 и русский 🙂\x00\x1b", "e\u0301 x\u00a0y \ufb01", "</think>x<|im_end|> </s> <s>", "a\r\n\tb", "\ufffd",
)  # fmt: skip


def codecs(byte_level: Codec, folders: dict[str, Path]) -> dict[str, Codec]:
    return {"tiny": byte_level, "toy": Codec(WEIGHTS_DIR), **{name: Codec(folder) for name, folder in folders.items()}}


def test_inserted_text_is_exactly_its_ids(byte_level: Codec, sentencepiece_folders: dict[str, Path]) -> None:
    for name, codec in codecs(byte_level, sentencepiece_folders).items():
        for text in TEXTS:
            assert codec.decode(codec.encode(text)) == text, name
            assert codec.control_ids.isdisjoint(codec.encode(text)), name
            assert codec.decode(codec.encode_control(text)) == text, name


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(exclude_characters="▁", exclude_categories=("Cs",)), max_size=30))
def test_any_text_comes_back(text: str) -> None:
    codec = Codec(WEIGHTS_DIR)
    assert codec.decode(codec.encode(text)) == text


def test_a_normalizer_changes_the_template_alone(tmp_path: Path, byte_level: Codec) -> None:
    """Qwen2's NFC joins e and its accent: in a question as the model was trained, never in a tool's output."""
    spec = json.loads((byte_level.folder / "tokenizer.json").read_text())
    for name in ("tokenizer_config.json", "config.json"):
        (tmp_path / name).write_text((byte_level.folder / name).read_text())
    (tmp_path / "tokenizer.json").write_text(json.dumps({**spec, "normalizer": {"type": "NFC"}}))
    codec = Codec(tmp_path)
    assert codec.decode(codec.encode("e\u0301")) == "e\u0301"
    assert "\u00e9" in codec.decode(codec.encode_chat("e\u0301"))


def test_decoding_is_that_of_the_tokenizers_library(byte_level: Codec) -> None:
    """Golden: the second decoder that curation had, on every prefix, cut characters included."""
    from tokenizers import Tokenizer

    for codec in (byte_level, Codec(WEIGHTS_DIR)):
        theirs = Tokenizer.from_file(str(codec.folder / "tokenizer.json"))
        for text in TEXTS:
            ids = theirs.encode(text, add_special_tokens=False).ids
            for end in range(len(ids) + 1):
                assert codec.decode(ids[:end]) == theirs.decode(ids[:end], skip_special_tokens=False)


@pytest.mark.parametrize("style", STYLES)
def test_sentencepiece_decoding_keeps_the_first_blank(style: str, sentencepiece_folders: dict[str, Path]) -> None:
    """Golden, and where the two differed: theirs drops a blank at the start of whatever piece it is given."""
    from tokenizers import Tokenizer

    codec = Codec(sentencepiece_folders[style])
    theirs = Tokenizer.from_file(str(codec.folder / "tokenizer.json"))
    for text in TEXTS:
        ids = codec.encode(text)
        shown = theirs.decode(ids, skip_special_tokens=False)
        assert codec.decode(ids).removeprefix(" ") == shown


@pytest.mark.parametrize("style", STYLES)
def test_chat_ids_of_sentencepiece_are_those_of_transformers(
    style: str, sentencepiece_folders: dict[str, Path]
) -> None:
    transformers = pytest.importorskip("transformers")
    folder = sentencepiece_folders[style]
    messages = [{"role": "user", "content": "What is 12 + 30?\n\nSay it."}]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    theirs = tokenizer.apply_chat_template(messages, tokenize=True, add_generation_prompt=True, return_dict=True)
    codec = Codec(folder)
    assert codec.encode_chat("What is 12 + 30?\n\nSay it.") == list(theirs["input_ids"])
    hostile = codec.encode_chat("Say </s> and 3.")
    assert codec.decode(hostile).removeprefix("<s>").lstrip() == "[INST] Say </s> and 3. [/INST]"
    assert hostile.count(codec.added["</s>"]) == 0


def played(codec: Codec) -> Trajectory:
    """A whole-turn trajectory with one call, its text and ids by the state machine."""
    problem = Problem(id="p", problem="What is 6 * 7?", kind=ProblemKind.MATH, answer="42")
    state = RolloutState(
        problem, codec.encode_chat("What is 6 * 7?"), codec, RolloutSettings(think_style=ThinkStyle.WHOLE_TURN)
    )
    said = [
        *codec.encode_control(" Wait.\n```python\nprint(6 * 7)\n```\n"),
        *codec.encode_control("So 42."),
        min(codec.end_ids),
    ]
    from selftaught.engines.base import Sampled, SampleEnd
    from selftaught.records import ExecStatus, ToolInfo

    while not isinstance(action := state.next_action(), Generate | RunCode) or said or isinstance(action, RunCode):
        if isinstance(action, RunCode):
            info = ToolInfo(code=action.code, status=ExecStatus.OK, output="42\n", wall_s=0.0)
            state.apply(Executed(info))
        elif isinstance(action, Generate):
            taken = []
            while said and len(taken) < action.request.max_new_tokens:
                taken.append(said.pop(0))
                if taken[-1] in action.request.watch:
                    break
            state.apply(Sampled(taken, SampleEnd.WATCH))
        else:
            break
    return Trajectory(id="p#0", problem_id="p", sample=0, spans=state.spans(), stop_reason=StopReason.ANSWERED)


@pytest.mark.parametrize("style", STYLES)
def test_verify_sees_a_blank_at_the_seam(
    style: str, sentencepiece_folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = sentencepiece_folders[style]
    codec = Codec(folder)
    good = played(codec)
    assert [span.source.value for span in good.spans] == ["prompt", "model", "tool", "model"]
    assert good.spans[2].text == "```output\n42\n```\n"
    assert verify_trajectory(good, codec) is None
    old = Codec(folder)
    monkeypatch.setattr(old, "encode", lambda text: old._full.encode(text, add_special_tokens=False).ids)
    found = verify_trajectory(played(old), codec)
    if style == "gemma":  # puts no blank in front by itself
        assert found is None
    else:
        assert found is not None and found.span == 2 and "the ids decode to" in str(found)
