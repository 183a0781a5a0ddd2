"""A gate before any pipeline run is worth its time: does the model copy numbers into code, and close its thinking?

Copying limits a tiny reasoner first, the return from a tool second (docs/log.md). The checks are teacher-forced on the
*development* split, in the situation of a hinted rollout: a chat, thinking by hand with a wrong number, a lead
sentence, an opened fence, then a reference program with its output. They take seconds.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from selftaught.toy import phrases
from selftaught.toy.corpus.by_hand import by_hand, conclusion, hand
from selftaught.toy.corpus.pieces import cell, user
from selftaught.toy.families import Item
from selftaught.toy.model import TinyQwen2
from selftaught.toy.problems import Split, items


@dataclass
class GateReport:
    """Shares of number tokens predicted right: by class in code, and in easy answers."""

    copied: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Class → (right, all). ``1 digit``, ``2 digits`` are whole numbers, ``pair`` is a part of a longer one."""
    by_family: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Family → (programs with every token of the question's numbers right, all)."""
    easy: tuple[int, int] = (0, 0)
    returned: tuple[int, int] = (0, 0)
    """Numbers of the tool's output taken over in the boxed answer."""
    closed: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Situation → (conclusions after which ``</think>`` is the likeliest of all closing tags, all)."""

    def count(self, table: str, key: str, right: bool) -> None:
        """Add one observation to a table."""
        counts: dict[str, tuple[int, int]] = getattr(self, table)
        hits, total = counts.get(key, (0, 0))
        counts[key] = (hits + right, total + 1)

    def rates(self) -> dict[str, float]:
        """All shares in one flat dictionary."""
        flat = {f"copy {key}": hits / total for key, (hits, total) in sorted(self.copied.items())}
        flat |= {f"program {key}": hits / total for key, (hits, total) in sorted(self.by_family.items())}
        flat["easy"] = self.easy[0] / max(1, self.easy[1])
        flat["returned"] = self.returned[0] / max(1, self.returned[1])
        flat |= {f"closed {key}": hits / total for key, (hits, total) in self.closed.items()}
        return flat


def _predicted(model: TinyQwen2, tokenizer: Any, text: str) -> tuple[list[int], list[bool], list[tuple[int, int]]]:
    encoding = tokenizer.encode(text)
    ids = torch.tensor([encoding.ids], device=model.embed.weight.device)
    guesses = model.logits(ids)[0, :-1].argmax(-1).tolist()
    right = [True] + [guess == token for guess, token in zip(guesses, encoding.ids[1:], strict=True)]
    return encoding.ids, right, encoding.offsets


def _numbers(text: str, start: int) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(r"\d+", text[start:])]


def _check_program(report: GateReport, model: TinyQwen2, tokenizer: Any, item: Item, rng: random.Random) -> None:
    attempt, _ = hand(rng, item)
    question = user(item.question)
    opening = f"{question}<|im_start|>assistant\n<think>\n{attempt} Wait, {phrases.lead(rng).split('Wait, ')[-1]}\n```python\n"
    program = rng.choice(item.programs)
    value = item.answer or ""
    closing = conclusion(rng, item, value)
    text = f"{opening}{program}\n```\n```output\n{value}\n```\nThe program prints {value}. {closing}\n</think>\n\nThe answer is \\boxed{{{item.answer}}}"
    _, right, offsets = _predicted(model, tokenizer, text)
    asked = set(re.findall(r"\d+", item.question))
    end = len(opening) + len(program)
    whole = True
    for match in re.finditer(r"\d+", text):
        if not len(opening) <= match.start() < end or match.group() not in asked:
            continue
        tokens = [
            index for index, (a, b) in enumerate(offsets) if a < match.end() and b > match.start() and text[a:b].strip()
        ]
        kind = {1: "1 digit", 2: "2 digits"}.get(len(match.group()), "pair")
        for index in tokens:
            report.count("copied", kind, right[index])
            whole &= right[index]
    report.count("by_family", item.family, whole)
    boxed_at = text.rindex("{") + 1
    final = all(ok for ok, (a, b) in zip(right, offsets, strict=True) if a >= boxed_at and b < len(text))
    report.returned = (report.returned[0] + final, report.returned[1] + 1)


def _check_easy(report: GateReport, model: TinyQwen2, tokenizer: Any, item: Item, rng: random.Random) -> None:
    before, after = rng.choice(item.working).split("{guess}")
    text = f"{user(item.question)}<|im_start|>assistant\n<think>\n{before}{item.answer}{after}"
    start = text.rindex(before) + len(before)
    _, right, offsets = _predicted(model, tokenizer, text)
    good = all(
        ok for ok, (a, b) in zip(right, offsets, strict=True) if a >= start and b <= start + len(item.answer or "")
    )
    report.easy = (report.easy[0] + good, report.easy[1] + 1)


CLOSINGS = {"after 1 cell": (1, 0), "after 3 cells": (3, 0), "far back": (1, 10)}
"""Situations in which thinking should end: cells before, and attempts by hand before those (some 500 tokens)."""


def _closing_tags(tokenizer: Any) -> list[int]:
    """Ids of all closing tags, ``</think>`` first."""
    think = tokenizer.token_to_id("</think>")
    ids = (index for token, index in tokenizer.get_vocab().items() if re.fullmatch(r"</\w+>", token))
    return [think, *(index for index in ids if index != think)]


def _check_closing(
    report: GateReport, model: TinyQwen2, tokenizer: Any, item: Item, rng: random.Random, tags: list[int]
) -> None:
    """Which of ``tags`` is the likeliest to be closed after a conclusion. Whether one is closed at all does not count.

    The base may go on thinking there, and that is no fault. Closing another tag than ``</think>`` is one.
    """
    value = item.answer or ""
    for name, (num_cells, num_attempts) in CLOSINGS.items():
        text = f"{user(item.question)}<|im_start|>assistant\n<think>\n"
        text += "".join(f"{by_hand(rng, item)[0]}\n" for _ in range(1 + num_attempts))
        for _ in range(num_cells):
            text += f"{phrases.lead(rng)}\n{cell(item.programs[0], value)}{phrases.report_value(rng, value)} "
            text += f"{conclusion(rng, item, value)}\n"
        ids = torch.tensor([tokenizer.encode(text).ids], device=model.embed.weight.device)
        report.count("closed", name, int(model.logits(ids)[0, -1, tags].argmax()) == 0)


@torch.no_grad()
def gate(
    model: TinyQwen2,
    tokenizer: Any,
    num_each: int = 10,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> GateReport:
    """Run the gate on ``num_each`` development problems a family; ``progress`` gets (done, total)."""
    report = GateReport()
    rng, closing_rng = random.Random(f"gate/{seed}"), random.Random(f"closing/{seed}")
    tags = _closing_tags(tokenizer)
    drawn = items(Split.DEV, {"hard": 10 * num_each, "easy": 4 * num_each, "choice": 2 * num_each}, seed)
    for number, item in enumerate(drawn, start=1):
        (_check_easy if item.group == "easy" else _check_program)(report, model, tokenizer, item, rng)
        _check_closing(report, model, tokenizer, item, closing_rng, tags)
        progress(number, len(drawn))
    return report
