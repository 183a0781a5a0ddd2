"""Modifications are exact, recorded, undoable, and encode anew only what they change."""

from __future__ import annotations

import random

import pytest

from selftaught.curation.modify import RULES, apply, modify, splice_text, undo
from selftaught.errors import ConfigError
from selftaught.records import ExecStatus, Span, SpanSource, Trajectory
from selftaught.tokens import token_cover
from selftaught.training.exports import segments
from selftaught.training.render import LossPolicy, render

from .samples import CODEC, hint, hinted, span, tool

DEBUG_HINT = (
    ", let me test the program.\n\n```python\ndef solve(a):\n    ...\n\nprint(solve(3))\n# <output here>\n```\n\n"
    "The sample is solve(3) == 4.\n\n```python\n"
)


class PairCodec:
    """Two characters a token, to have token borders inside words; single characters encode what is left over."""

    def encode(self, text: str) -> list[int]:
        pairs = [text[i : i + 2] for i in range(0, len(text), 2)]
        return [ord(p[0]) * 0x11000 + (ord(p[1]) if len(p) == 2 else 0xFFFF) for p in pairs]

    def encode_control(self, text: str) -> list[int]:
        return self.encode(text)

    def decode(self, token_ids: list[int]) -> str:
        return "".join(chr(i // 0x11000) + ("" if i % 0x11000 == 0xFFFF else chr(i % 0x11000)) for i in token_ids)


def code_trajectory() -> Trajectory:
    trajectory = hinted()
    return trajectory.model_copy(update={"spans": [*trajectory.spans[:2], hint(DEBUG_HINT), *trajectory.spans[3:]]})


def check_ledger(trajectory: Trajectory) -> None:
    for one in trajectory.spans:
        assert CODEC.decode(one.token_ids) == one.text


def test_the_template_gets_the_papers_tag_and_loses_its_placeholder() -> None:
    before = code_trajectory()
    after, changes = modify(before, ["rename_template", "delete_placeholders", "cut_tail"], CODEC)
    text = after.text_after_prompt()
    assert "```Debug Code Template\ndef solve(a):" in text and "<output here>" not in text
    assert text.count("```python\n") == 1  # the real call
    assert [c.rule for c in changes] == ["rename_template", "delete_placeholders"]
    assert undo(after, changes) == before
    check_ledger(after)


def test_a_clean_one_is_left_alone() -> None:
    trajectory = hinted()
    after, changes = modify(trajectory, list(RULES), CODEC)
    assert after is trajectory and changes == []


def test_cut_tail_keeps_the_end_of_turn() -> None:
    before = hinted()
    tail = span("model", "Done.\n</think>\nThe answer is \\boxed{42}.\n\nWait, and also, and also<|im_end|>")
    before = before.model_copy(update={"spans": [*before.spans[:-1], tail]})
    after, changes = modify(before, ["cut_tail"], CODEC)
    assert after.spans[-1].text.endswith("<|im_end|>") and "also" not in after.text_after_prompt()
    assert "".join(s.text for s in after.spans[5:]) == "Done.\n</think>\nThe answer is \\boxed{42}.<|im_end|>"
    assert undo(after, changes) == before
    check_ledger(after)


def test_repaired_errors_can_be_dropped() -> None:
    before = hinted(calls=1)
    middle = [
        span("model", "Again:\n```python\nprint(y)\n```\n"), tool("NameError", "print(y)", ExecStatus.ERROR),
        span("model", "Fixed:\n```python\nprint(42)\n```\n"), tool("42", "print(42)"),
    ]  # fmt: skip
    before = before.model_copy(update={"spans": [*before.spans[:5], *middle, before.spans[-1]]})
    after, changes = modify(before, ["drop_repaired_errors"], None)
    assert [call.output for call in after.tool_calls()] == ["42", "42"]
    assert undo(after, changes) == before


def test_unknown_rules_and_missing_tokenizers_are_said() -> None:
    with pytest.raises(ConfigError, match="rename_tag"):
        modify(hinted(), ["rename_tag"], CODEC)
    with pytest.raises(ConfigError, match="tokenizer"):
        modify(code_trajectory(), ["rename_template"], None)


def test_only_covering_tokens_are_encoded_anew() -> None:
    rng = random.Random(0)
    codec = PairCodec()
    for _ in range(300):
        text = "".join(rng.choice("abcdef \n") for _ in range(rng.randrange(1, 40)))
        ids = codec.encode(text)
        start = rng.randrange(len(text) + 1)
        end = rng.randrange(start, len(text) + 1)
        new = "".join(rng.choice("xyz") for _ in range(rng.randrange(4)))
        first, last, first_char, last_char = token_cover(codec, ids, start, end)
        assert first_char <= start and last_char >= end
        assert start - first_char < 2 and last_char - end < 2
        one = span("model", text).model_copy(update={"token_ids": ids})
        parts, marks = splice_text(one, start, end, new, codec)
        assert "".join(p.text for p in parts) == text[:start] + new + text[end:]
        assert all(codec.decode(p.token_ids) == p.text for p in parts)
        untouched = [i for p, mark in zip(parts, marks, strict=True) if not mark for i in p.token_ids]
        assert untouched == ids[:first] + ids[last:]


def test_a_change_is_its_own_inverse() -> None:
    before = code_trajectory()
    _, changes = modify(before, ["rename_template"], CODEC)
    assert undo(apply(before, changes[0]), changes) == before


def test_a_wrong_draft_before_a_hint_stays_and_takes_no_loss() -> None:
    before = whole_turn(
        span("model", "6 * 7 = 41, so \\boxed{41}."),
        hint("Wait, let me check.\n```python\n"),
        span("model", "print(6 * 7)\n```\n"),
        tool("42"),
        span("model", "So \\boxed{42}<|im_end|>"),
    )
    after, changes = modify(before, ["mask_wrong_draft"], CODEC)
    assert [one.loss for one in after.spans] == [None, False, None, None, None, None]
    assert after.token_ids() == before.token_ids() and undo(after, changes) == before
    assert changes[0].reason == "the draft answers '41', the row '42'" and changes[0].reencoded == [False]
    labels = render(after, LossPolicy()).labels
    texts = [one.text for one in after.spans[2:4]] + [after.spans[5].text]
    assert CODEC.decode([label for label in labels if label >= 0]) == "".join(texts)
    assert [text for text, loss in segments(after, LossPolicy()) if loss] == ["".join(texts[:2]), texts[2]]
    assert modify(after, ["mask_wrong_draft"], CODEC)[1] == []


def test_a_wrong_draft_without_a_hint_ends_with_its_last_box() -> None:
    """The sentence that leads to the call is what such a row teaches."""
    before = whole_turn(
        span("model", "So \\boxed{\\frac{1}{3}}.\nLet me check with Python.\n```python\nprint(6 * 7)\n```\n"),
        tool("42"),
        span("model", "So \\boxed{42}<|im_end|>"),
    )
    after, changes = modify(before, ["mask_wrong_draft"], CODEC)
    assert [(one.text[:10], one.loss) for one in after.spans[1:3]] == [("So \\boxed{", False), (".\nLet me c", None)]
    assert after.token_ids() == before.token_ids() and undo(after, changes) == before
    check_ledger(after)


@pytest.mark.parametrize(
    ("draft", "final"),
    [("So \\boxed{42}.", "So \\boxed{42}"), ("About forty.", "So \\boxed{42}"), ("So \\boxed{41}.", "It is 42")],
)
def test_a_draft_that_is_right_or_says_nothing_keeps_its_loss(draft: str, final: str) -> None:
    spans = span("model", draft), hint("Wait.\n```python\n"), span("model", "print(42)\n```\n"), tool("42")
    trajectory = whole_turn(*spans, span("model", final + "<|im_end|>"))
    assert modify(trajectory, ["mask_wrong_draft"], CODEC) == (trajectory, [])


def test_a_row_without_a_call_has_no_draft() -> None:
    trajectory = whole_turn(span("model", "So \\boxed{41}. No, \\boxed{42}<|im_end|>"))
    assert modify(trajectory, ["mask_wrong_draft"], CODEC) == (trajectory, [])


@pytest.mark.parametrize("final", ["So \\boxed{42}", "So \\boxed{7}", "It is 42"])
def test_no_draft_with_an_answer_takes_loss_under_mask_draft(final: str) -> None:
    """Right, wrong or without a boxed answer after it: what is taught begins behind the draft."""
    trajectory = whole_turn(
        span("model", "So \\boxed{42}.\nLet me check.\n```python\nprint(42)\n```\n"),
        tool("42"),
        span("model", final + "<|im_end|>"),
    )
    after, changes = modify(trajectory, ["mask_draft"], CODEC)
    assert [(one.text[:10], one.loss) for one in after.spans[1:3]] == [("So \\boxed{", False), (".\nLet me c", None)]
    assert changes[0].reason == "the draft answers '42'" and undo(after, changes) == trajectory
    assert modify(after, ["mask_draft", "mask_wrong_draft"], CODEC)[1] == []


def test_a_draft_before_a_hint_takes_no_loss_as_a_whole() -> None:
    spans = span("model", "So \\boxed{42}. Done."), hint("Wait.\n```python\n"), span("model", "print(42)\n```\n")
    trajectory = whole_turn(*spans, tool("42"), span("model", "So \\boxed{42}<|im_end|>"))
    after, _ = modify(trajectory, ["mask_draft"], CODEC)
    assert [one.loss for one in after.spans] == [None, False, None, None, None, None]
    rows = whole_turn(span("model", "So \\boxed{42}.")), whole_turn(*spans[1:], tool("42"), span("model", "Done."))
    for row in rows:  # without a call, and without an answer before the hint
        assert modify(row, ["mask_draft"], CODEC) == (row, [])


def test_a_mask_splits_behind_the_token_that_holds_the_end() -> None:
    codec = PairCodec()
    text = "odd \\boxed{1}. Let me check.\n```python\nprint(2)\n```\n"
    model = Span(source=SpanSource.MODEL, token_ids=codec.encode(text), text=text)
    before = whole_turn(model, tool("2"), span("model", "\\boxed{2}"))
    after, changes = modify(before, ["mask_wrong_draft"], codec)
    assert [codec.decode(one.token_ids) == one.text for one in after.spans[1:3]] == [True, True]
    assert after.spans[1].text == "odd \\boxed{1}." and undo(after, changes) == before
    with pytest.raises(ConfigError, match="expected a tokenizer"):
        modify(before, ["mask_wrong_draft"], None)


def whole_turn(*spans: Span) -> Trajectory:
    """A trajectory of a model whose whole turn is thinking."""
    return hinted().model_copy(update={"spans": [span("prompt", "Q?"), *spans]})
