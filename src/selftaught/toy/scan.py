"""Scans of the pretraining text for what must not be there: tool calls in thinking, hint sentences, held-out problems.

Base reasoner means: never saw a tool call inside chat-style thinking, nor any hint. The tests run this over a sample of
the text and, marked slow, over all of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from selftaught.records import question_hash

_THINKING = re.compile(r"<think>(.*?)(</think>|<\|im_end\|>|\Z)", re.DOTALL)
_CODE = re.compile(r"```|~~~|^(?!> ).*\bprint\(|^\s*(import|from|def|for|while) .*:?$", re.MULTILINE)
"""A fence, or a line of code that is not a quotation (``> ``) of what the user wrote."""
_TURN = re.compile(r"<\|im_start\|>user\n(.*?)<\|im_end\|>", re.DOTALL)


@dataclass
class ScanReport:
    """What a scan found. Every list is empty in a clean text."""

    num_documents: int = 0
    num_thinkings: int = 0
    calls_in_thinking: list[str] = field(default_factory=list)
    open_thinkings: list[str] = field(default_factory=list)
    hint_sentences: list[str] = field(default_factory=list)
    held_out: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """True when nothing was found."""
        return not (self.calls_in_thinking or self.open_thinkings or self.hint_sentences or self.held_out)


def _fold(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def hint_sentences(texts: Iterable[str]) -> list[str]:
    """The sentences of hint texts that say something: at least four words, without fences and placeholders."""
    sentences = set()
    for text in texts:
        prose = re.sub(r"```.*?(```|\Z)", " ", text, flags=re.DOTALL)
        for sentence in re.split(r"(?<=[.!?:。])\s+|\n+|\{[^}]*\}", prose):
            folded = _fold(sentence).strip(" ,.:")
            if len(folded.split()) >= 4 or re.search(r"[\u4e00-\u9fff]{4,}", folded):
                sentences.add(folded.lower())
    return sorted(sentences)


def scan(documents: Iterable[str], held_out: Sequence[str] = (), hints: Sequence[str] = ()) -> ScanReport:
    """Scan ``documents``; ``held_out`` are questions of other splits, ``hints`` sentences as `hint_sentences` gives them.

    Held-out questions are looked for as whole user turns (by hash) and as substrings of the folded text: every document
    is cut at the questions' first 24 characters, so that a pass stays linear in the text.
    """
    report = ScanReport()
    hashes = {question_hash(question): question for question in held_out}
    by_head: dict[str, list[str]] = {}
    for question in held_out:
        folded = _fold(question)
        by_head.setdefault(folded[:24], []).append(folded)
    heads = re.compile("|".join(map(re.escape, sorted(by_head)))) if by_head else None
    sentences = re.compile("|".join(map(re.escape, hints))) if hints else None
    for document in documents:
        report.num_documents += 1
        for match in _THINKING.finditer(document):
            report.num_thinkings += 1
            if _CODE.search(match.group(1)):
                report.calls_in_thinking.append(match.group(1))
            if match.group(2) != "</think>":
                report.open_thinkings.append(match.group(1))
        folded = _fold(document)
        if sentences and (found := sentences.search(folded.lower())):
            report.hint_sentences.append(found.group())
        report.held_out += [turn for turn in _TURN.findall(document) if question_hash(turn) in hashes]
        if heads:
            for match in heads.finditer(folded):
                report.held_out += [q for q in by_head[match.group()] if folded.startswith(q, match.start())]
    return report
