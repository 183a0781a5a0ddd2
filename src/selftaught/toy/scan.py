"""Scans of the pretraining text for what must not be there: tool calls in thinking, hint sentences, held-out problems.

A base reasoner has never seen a tool call inside chat-style thinking, nor any hint. The demo shows what hints and
training add to such a model, so both would spoil it. The tests scan a sample of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from selftaught.records import question_hash

_THINKING = re.compile(r"<think>(.*?)(</think>|<\|im_end\|>|\Z)", re.DOTALL)
_CODE = re.compile(r"```|~~~|^(?!> ).*\bprint\(|^\s*(import|from|def|for|while) .*:?$", re.MULTILINE)
"""A fence, or a line of code that is not a quotation (``> ``) of what the user wrote."""
_PLAIN_BLOCK = re.compile(r"^```text\n(.*?)\n```$", re.DOTALL | re.MULTILINE)
"""A block of plain text, which is never run. What it holds is scanned like the rest."""
_OUTPUT_BLOCK = re.compile(r"^```output\n(.*?)\n```$", re.DOTALL | re.MULTILINE)
"""A block of output; fine where the user's turn holds the same output, since that is a quotation."""
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


class _Phrases:
    """Finds many phrases in one pass over a text's words. The search is exact but for letter case and white space.

    Phrases are indexed by their first four words, so most places in the text are refused by one look-up a length.
    """

    def __init__(self, phrases: Iterable[str]) -> None:
        self._by_head: dict[tuple[str, ...], list[tuple[list[str], str]]] = {}
        self._lengths: set[int] = set()
        for phrase in phrases:
            words = self.words(phrase)
            head = tuple(words[:4])
            self._lengths.add(len(head))
            self._by_head.setdefault(head, []).append((words, phrase))

    @staticmethod
    def words(text: str) -> list[str]:
        """Words and single marks."""
        return re.findall(r"\w+|[^\w\s]", text.lower())

    def found_in(self, text: str) -> Iterator[str]:
        """Each phrase at each of its places."""
        words = self.words(text)
        for start in range(len(words)):
            for length in self._lengths:
                for phrase_words, phrase in self._by_head.get(tuple(words[start : start + length]), ()):
                    if words[start : start + len(phrase_words)] == phrase_words:
                        yield phrase


def _without_quotations(thinking: str, brought: str) -> str:
    """``thinking`` without the fences of plain text and of outputs that the user ``brought``."""
    for output in _OUTPUT_BLOCK.findall(brought):
        block = f"```output\n{output}\n```\n"
        thinking = thinking.replace(block, f"{output}\n")
    return _PLAIN_BLOCK.sub(r"\1", thinking)


def scan(documents: Iterable[str], held_out: Sequence[str] = (), hints: Sequence[str] = ()) -> ScanReport:
    """Scan ``documents``; ``held_out`` are questions of other splits, ``hints`` sentences as `hint_sentences` gives
    them.

    Held-out questions are looked for as whole user turns (by hash) and anywhere in the text, word by word.
    """
    report = ScanReport()
    hashes = {question_hash(question) for question in held_out}
    questions, sentences = _Phrases(held_out), _Phrases(hints)
    for document in documents:
        report.num_documents += 1
        for match in _THINKING.finditer(document):
            report.num_thinkings += 1
            brought = "\n".join(_TURN.findall(document[: match.start()]))
            if _CODE.search(_without_quotations(match.group(1), brought)):
                report.calls_in_thinking.append(match.group(1))
            if match.group(2) != "</think>":
                report.open_thinkings.append(match.group(1))
        report.hint_sentences += sentences.found_in(document)
        report.held_out += [turn for turn in _TURN.findall(document) if question_hash(turn) in hashes]
        report.held_out += questions.found_in(document)
    return report
