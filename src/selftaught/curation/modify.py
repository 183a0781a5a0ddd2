"""Modify: recorded, undoable changes of a trajectory's spans (START section 2.2).

Each rule looks at a trajectory and gives one change or none; it is asked again until it has nothing to change. A change
replaces a run of spans; only the tokens that cover changed text are encoded anew, all others stay as the model saw
them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from selftaught.curation.records import ENCODE_TEXT, Modification
from selftaught.curation.score import THINK_END
from selftaught.errors import ConfigError
from selftaught.records import ExecStatus, Span, SpanSource, Trajectory
from selftaught.tokens import fences
from selftaught.tokens.cover import TextCodec, token_cover

TEMPLATE_TAG = "Debug Code Template"
"""The tag that the paper gives to a template block in place of ``python``."""

MAX_CHANGES = 32
"""Most changes of one rule to one trajectory. A rule that asks for more is in a loop: it finds its own change again."""


@dataclass(frozen=True)
class Edit:
    """Characters ``[start, end)`` of span ``index`` are to become ``text``."""

    index: int
    start: int
    end: int
    text: str
    reason: str


@dataclass(frozen=True)
class Removal:
    """Spans ``[index, index + count)`` are to go."""

    index: int
    count: int
    reason: str


@dataclass(frozen=True)
class Mask:
    """The tokens that hold characters ``[0, end)`` of span ``index`` are to stay without loss."""

    index: int
    end: int
    reason: str


Rule = Callable[[Trajectory], "Edit | Removal | Mask | None"]


def rename_template(trajectory: Trajectory) -> Edit | None:
    """A closed Python block inside a hint is the template: rename its tag, so that it is never taken for a call."""
    for index, span in enumerate(trajectory.spans):
        if span.source is not SpanSource.HINT:
            continue
        for block in fences.blocks(span.text, span.source):
            tag = _TAG.search(span.text, block.start)
            if block.is_python and block.closed_by is not None and tag is not None:
                return Edit(index, tag.start(1), tag.end(1), TEMPLATE_TAG, "the hint's template block")
    return None


_TAG = re.compile(r"(?:`{3,}|~{3,})[ \t]*(\S[^\n]*?)[ \t\r]*(?:\n|$)")
"""The info string of the fence that a line is, from the beginning of the line on."""

_PLACEHOLDER = re.compile(
    r"^[ \t]*(?:#[ \t]*)?(?:<[^<>\n]*(?:output|result)[^<>\n]*>|\[[^\[\]\n]*(?:output|result) (?:here|goes here|placeholder)\]"
    r"|(?:expected )?output:[ \t]*\.\.\.)[ \t]*\n?",
    re.IGNORECASE | re.MULTILINE,
)


def delete_placeholders(trajectory: Trajectory) -> Edit | None:
    """Lines such as ``<output here>`` that stand where the interpreter's output belongs."""
    for index, span in enumerate(trajectory.spans):
        if span.source in (SpanSource.HINT, SpanSource.MODEL):
            match = _PLACEHOLDER.search(span.text)
            if match:
                return Edit(index, match.start(), match.end(), "", f"placeholder {match.group().strip()[:60]!r}")
    return None


_BOX = re.compile(r"\\boxed\{((?:[^{}\n]|\{(?:[^{}\n]|\{[^{}\n]*\})*\})*)\}")
_BOXED_END = re.compile(_BOX.pattern + r"[^\n]*")
_ENDING = re.compile(r"(?:\s*<\|[^|<>\s]+\|>)+\s*$")


def cut_tail(trajectory: Trajectory) -> Edit | None:
    """Text after the line of the first box in the final answer: goes, up to the end-of-turn tokens."""
    for index in range(len(trajectory.spans) - 1, -1, -1):
        span = trajectory.spans[index]
        if span.source is not SpanSource.MODEL or THINK_END not in span.text:
            continue
        if index != len(trajectory.spans) - 1:
            return None
        answer_at = span.text.rindex(THINK_END) + len(THINK_END)
        match = _BOXED_END.search(span.text, answer_at)
        if match is None:
            return None
        end_of_box = match.end() - len(_line_ending(match.group()))
        ending = _ENDING.search(span.text, end_of_box)
        stop = ending.start() if ending else len(span.text)
        tail = span.text[end_of_box:stop]
        if len(tail.strip()) == 0:
            return None
        return Edit(index, end_of_box, stop, "", f"{len(tail)} characters after the boxed answer's line")
    return None


def drop_repaired_errors(trajectory: Trajectory) -> Removal | None:
    """A failed call that the next call repaired: its code and traceback go, so that the model does not learn to fail
    first.

    Only where the failed call's text stands in spans of its own: from the span after the last kept output up to and
    with the failed output. The first call is left alone, since the thinking that leads to it stands in the same spans.
    """
    spans = trajectory.spans
    outputs = [i for i, span in enumerate(spans) if span.tool is not None]
    for before, failed, repaired in zip(outputs, outputs[1:], outputs[2:], strict=False):
        between = spans[before + 1 : failed]
        failed_tool, repaired_tool = spans[failed].tool, spans[repaired].tool
        assert failed_tool is not None
        assert repaired_tool is not None
        if (
            failed_tool.status is not ExecStatus.OK
            and repaired_tool.status is ExecStatus.OK
            and all(span.source is SpanSource.MODEL for span in between)
        ):
            return Removal(before + 1, failed - before, f"{failed_tool.status} repaired by the next call")
    return None


def mask_draft(trajectory: Trajectory) -> Mask | None:
    """A draft with a boxed answer stays in the row and takes no loss, right or wrong.

    A model whose whole turn is thinking answers before the hint comes. Loss on its drafts changes how it answers; without
    it the row teaches only what comes after: the call and what the output leads to. With a hint after it the draft is
    all that the model wrote; in a row without hints it ends with its last box before the first call.
    """
    found = _find_draft(trajectory)
    return _mask_of(trajectory, found, f"the draft answers {found.answer[:40]!r}") if found else None


def mask_wrong_draft(trajectory: Trajectory) -> Mask | None:
    """As ``mask_draft``, where the draft's boxed answer is another one than the row's.

    By rule a row of D_seed is wrong before its hint, and loss on the draft teaches the mistake.
    """
    found = _find_draft(trajectory)
    if found is None or found.final is None or found.answer == found.final:
        return None
    return _mask_of(trajectory, found, f"the draft answers {found.answer[:40]!r}, the row {found.final[:40]!r}")


@dataclass(frozen=True)
class _Draft:
    """Where the draft of a row ends, ``stop`` characters into span ``last``; its boxed answer and the row's, if any."""

    last: int
    stop: int
    answer: str
    final: str | None


def _find_draft(trajectory: Trajectory) -> _Draft | None:
    """What the model wrote before the first hint or call, if it holds a boxed answer."""
    spans = trajectory.spans
    end = next((i for i, span in enumerate(spans) if span.source is SpanSource.HINT or span.tool is not None), 0)
    boxes = [
        (i, box) for i in range(end) if spans[i].source is SpanSource.MODEL for box in _BOX.finditer(spans[i].text)
    ]
    if not boxes:
        return None
    last, box = boxes[-1]
    stop = box.end()
    if spans[end].source is SpanSource.HINT:
        last, stop = end - 1, len(spans[end - 1].text)
    final = _BOX.findall("".join(span.text for span in spans[end:]))
    return _Draft(last, stop, box.group(1).strip(), final[-1].strip() if final else None)


def _mask_of(trajectory: Trajectory, draft: _Draft, reason: str) -> Mask | None:
    """The next part of the draft that still takes loss."""
    for index, span in enumerate(trajectory.spans[: draft.last + 1]):
        if span.source is SpanSource.MODEL and span.loss is None:
            return Mask(index, draft.stop if index == draft.last else len(span.text), reason)
    return None


RULES: dict[str, Rule] = {
    "rename_template": rename_template,
    "delete_placeholders": delete_placeholders,
    "cut_tail": cut_tail,
    "drop_repaired_errors": drop_repaired_errors,
    "mask_draft": mask_draft,
    "mask_wrong_draft": mask_wrong_draft,
}
"""Rules by name; a recipe lists the ones to use, in order."""


def modify(trajectory: Trajectory, rules: list[str], codec: TextCodec | None) -> tuple[Trajectory, list[Modification]]:
    """Apply ``rules`` in order; return the changed trajectory (the same object when nothing changed) and the changes.

    A text-only trajectory is encoded first: the rules work on token ids.
    """
    changes: list[Modification] = []
    if trajectory.text_only:
        changes.append(_encode_text(trajectory, codec))
        trajectory = apply(trajectory, changes[0])
    for name in rules:
        rule = RULES.get(name)
        if rule is None:
            raise ConfigError(f"modifications: {name!r} is unknown; expected one of {', '.join(RULES)}.")
        for _ in range(MAX_CHANGES):
            found = rule(trajectory)
            if found is None:
                break
            change = _plan(trajectory, name, found, codec)
            trajectory = apply(trajectory, change)
            changes.append(change)
    return trajectory, changes


def _encode_text(trajectory: Trajectory, codec: TextCodec | None) -> Modification:
    """The change that gives a text-only trajectory token ids: every span encoded anew."""
    if codec is None:
        raise ConfigError(
            "filters.allow_text_only wants a tokenizer to encode the text with. Name the model to train with --model."
        )
    spans = [
        span.model_copy(update={"token_ids": _encode(span, span.text, codec), "scores": None})
        for span in trajectory.spans
    ]
    return Modification(
        rule=ENCODE_TEXT,
        index=0,
        before=trajectory.spans,
        after=spans,
        reencoded=[True] * len(spans),
        reason="the engine returned text without token ids",
    )


def _plan(trajectory: Trajectory, rule: str, found: Edit | Removal | Mask, codec: TextCodec | None) -> Modification:
    """The splice that carries out one rule's finding."""
    if isinstance(found, Mask):
        span = trajectory.spans[found.index]
        after = _split(span, found.end, codec, rule)
        after[0] = after[0].model_copy(update={"loss": False})
        return Modification(
            rule=rule,
            index=found.index,
            before=[span],
            after=after,
            reencoded=[False] * len(after),
            reason=found.reason,
        )
    if isinstance(found, Removal):
        before = trajectory.spans[found.index : found.index + found.count]
        return Modification(rule=rule, index=found.index, before=before, after=[], reencoded=[], reason=found.reason)
    if codec is None:
        raise ConfigError(
            f"modification {rule} changes text; expected a tokenizer to encode it. Name the model with --model."
        )
    span = trajectory.spans[found.index]
    after, reencoded = splice_text(span, found.start, found.end, found.text, codec)
    return Modification(
        rule=rule, index=found.index, before=[span], after=after, reencoded=reencoded, reason=found.reason
    )


def splice_text(span: Span, start: int, end: int, text: str, codec: TextCodec) -> tuple[list[Span], list[bool]]:
    """Replace characters ``[start, end)`` of a span; give the spans that stand in its place and which were re-encoded.

    Up to three spans: tokens before the change as they were, the changed part encoded anew, tokens after it as they
    were. Hint facts stay on each part that is left of a hint.
    """
    # Only tokens that hold changed characters are replaced. All others keep the ids that the model saw or drew.
    first, last, first_char, last_char = token_cover(codec, span.token_ids, start, end)
    changed = span.text[first_char:start] + text + span.text[end:last_char]
    parts: list[Span] = []
    reencoded: list[bool] = []
    for ids, part_text, new in (
        (span.token_ids[:first], span.text[:first_char], False),
        (_encode(span, changed, codec) if changed else [], changed, True),
        (span.token_ids[last:], span.text[last_char:], False),
    ):
        if ids:
            parts.append(span.model_copy(update={"token_ids": ids, "text": part_text, "scores": None}))
            reencoded.append(new)
    return parts, reencoded


def _split(span: Span, end: int, codec: TextCodec | None, rule: str) -> list[Span]:
    """The span in two, behind the token that holds character ``end - 1``; whole where nothing is left behind it."""
    if end >= len(span.text):
        return [span]
    if codec is None:
        raise ConfigError(
            f"modification {rule} splits text; expected a tokenizer to find the place. Name the model with --model."
        )
    _, last, _, last_char = token_cover(codec, span.token_ids, 0, end)
    parts = (span.token_ids[:last], span.text[:last_char]), (span.token_ids[last:], span.text[last_char:])
    return [span.model_copy(update={"token_ids": ids, "text": text, "scores": None}) for ids, text in parts if ids]


def _encode(span: Span, text: str, codec: TextCodec) -> list[int]:
    """Ids of new text in ``span``. Control tokens are the template's and the model's alone, as in a rollout."""
    if span.source in (SpanSource.PROMPT, SpanSource.MODEL):
        return codec.encode_control(text)
    return codec.encode(text)


def apply(trajectory: Trajectory, change: Modification) -> Trajectory:
    """The trajectory after ``change``."""
    return _swap(trajectory, change.index, len(change.before), change.after)


def undo(trajectory: Trajectory, changes: list[Modification]) -> Trajectory:
    """The trajectory before all ``changes``, the last one undone first."""
    for change in reversed(changes):
        trajectory = _swap(trajectory, change.index, len(change.after), change.before)
    return trajectory


def _swap(trajectory: Trajectory, index: int, count: int, spans: list[Span]) -> Trajectory:
    """A copy with ``count`` spans from ``index`` on replaced."""
    return trajectory.model_copy(update={"spans": trajectory.spans[:index] + spans + trajectory.spans[index + count :]})


def _line_ending(line: str) -> str:
    """End-of-turn tokens at the end of a line, which belong to the turn and not to the tail."""
    match = _ENDING.search(line)
    return match.group() if match else ""
