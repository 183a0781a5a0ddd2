"""Decontaminate: take out training problems that overlap with a benchmark, before anything is sampled.

Any of four tests removes a row:

- **equal**: the same words, for short texts the same operators as well;
- **runs**: it shares at least half of a benchmark problem's 10-word runs;
- **subsequence**: as Qwen2.5-Math does, a shared 13-word run and a longest common subsequence above 0.6 of the words;
- **contained**: one of the two is short and stands whole in the other, between the ends of sentences ("What is 17*23?"
  with an instruction before or after it). Such texts have no runs of ten words.

Words are cut three ways (`words`): letters and digits together, apart, and with maths spelt alike.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import Field

from selftaught.problems.words import APART, WHOLE, CanonicalText, canonical, is_unspaced
from selftaught.records import Problem, Record

RUN_WORDS, RUN_CHARACTERS = 10, 16
"""Length of a run in words; in characters for texts of a script without spaces, whose words have one to two of them."""
SUBSEQUENCE_RUN_WORDS, SUBSEQUENCE_RUN_CHARACTERS = 13, 20
SUBSEQUENCE_SHARE = 0.6
SHORT_TOKENS = 20
"""A text with at most so many canonical tokens is looked for inside others as a whole."""


_INSTRUCTS = frozenset("please answer show think explain put give provide respond return box reason solve".split())
"""First words of an instruction that stands behind a question without a full stop."""

_POINTING = frozenset("following these this that those above below figure diagram it they he she his her their".split())
"""Words that point at something outside: a short text with one of them is not the same question wherever it stands."""


class Method(StrEnum):
    """How much likeness counts."""

    OVERLAP = "overlap"
    """All four tests."""
    EXACT = "exact"
    """Equality only: for generated problems that share their templates on purpose."""


class Match(Record):
    """Why a row was removed."""

    matched_id: str
    benchmark: str
    overlap: float = Field(ge=0, le=1)
    """Share of the benchmark problem's runs, or of its words in order, that the row holds."""
    reason: str
    """``equal``, ``runs``, ``subsequence`` or ``contained``."""


class RemovedProblem(Record):
    """A problem that was taken out, with its match."""

    problem: Problem
    match: Match


@dataclass(frozen=True)
class Decontaminated:
    """What was kept and what was removed, both in the order given."""

    kept: list[Problem]
    removed: list[RemovedProblem]


@dataclass(frozen=True)
class _Text:
    """A text cut in each way: words of the three views, and the canonical tokens."""

    words: tuple[list[str], list[str], list[str]]
    tokens: CanonicalText
    is_unspaced: bool

    @classmethod
    def of(cls, text: str) -> _Text:
        folded = text.casefold()
        tokens = canonical(text)
        words = (WHOLE.findall(folded), APART.findall(folded), tokens.words())
        return cls(words, tokens, 2 * sum(map(is_unspaced, words[2])) > len(words[2]))

    @property
    def run_length(self) -> int:
        return RUN_CHARACTERS if self.is_unspaced else RUN_WORDS

    @property
    def long_run_length(self) -> int:
        return SUBSEQUENCE_RUN_CHARACTERS if self.is_unspaced else SUBSEQUENCE_RUN_WORDS


@dataclass
class _View:
    """The index of all benchmark problems under one way of cutting words."""

    words: list[list[str]] = field(default_factory=list)
    num_runs: list[int] = field(default_factory=list)
    num_distinct: list[int] = field(default_factory=list)
    runs: dict[tuple[str, ...], Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    long_runs: dict[tuple[str, ...], set[int]] = field(default_factory=lambda: defaultdict(set))
    equal: dict[tuple[str, ...], list[int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, number: int, words: list[str], run_length: int, long_run_length: int) -> None:
        """Take in benchmark problem ``number``."""
        runs = _runs(words, run_length)
        self.words.append(words)
        self.num_runs.append(len(runs))
        self.num_distinct.append(len(set(runs)))
        for run in runs:
            self.runs[run][number] += 1
        for run in _runs(words, long_run_length):
            self.long_runs[run].add(number)
        self.equal[tuple(words)].append(number)

    def shares(self, words: list[str]) -> list[tuple[int, float]]:
        """(benchmark problem, share of its runs that the text holds).

        The larger of two shares: of all runs, and of the distinct ones. A run that the benchmark repeats would
        otherwise weigh too much in the one, or too little in the other.
        """
        places: Counter[int] = Counter()
        distinct: Counter[int] = Counter()
        lengths = (RUN_WORDS, RUN_CHARACTERS) if any(map(is_unspaced, words)) else (RUN_WORDS,)
        for length in lengths:
            for run in set(_runs(words, length)):
                for number, count in self.runs.get(run, {}).items():
                    places[number] += count
                    distinct[number] += 1
        return [(n, max(count / self.num_runs[n], distinct[n] / self.num_distinct[n])) for n, count in places.items()]


class Decontaminator:
    """Benchmarks indexed once; each training text is then looked up in time linear in its length."""

    def __init__(
        self,
        benchmarks: Iterable[tuple[str, Iterable[Problem]]],
        *,
        min_share: float = 0.5,
        method: Method = Method.OVERLAP,
    ) -> None:
        self.min_share, self.method = min_share, method
        self._names: list[tuple[str, str]] = []
        self._tokens: list[tuple[str, ...]] = []
        self._views = (_View(), _View(), _View())
        self._whole = _Index()
        self._parts: dict[tuple[str, ...], int] = {}
        for benchmark, problems in benchmarks:
            for problem in problems:
                self._add(benchmark, problem)

    def __len__(self) -> int:
        return len(self._names)

    def sizes(self) -> dict[str, int]:
        """Benchmark → number of its problems."""
        return dict(Counter(benchmark for benchmark, _ in self._names))

    def _add(self, benchmark: str, problem: Problem) -> None:
        number = len(self._names)
        self._names.append((benchmark, problem.id))
        text = _Text.of(problem.problem)
        self._tokens.append(text.tokens.tokens)
        for view, words in zip(self._views, text.words, strict=True):
            view.add(number, words, text.run_length, text.long_run_length)
        if _is_telling(text.tokens.tokens):
            self._whole.add(text.tokens.tokens, number)
        for part in _sentence_spans(text.tokens):
            self._parts.setdefault(part, number)

    def match(self, text: str) -> Match | None:
        """The strongest match of a training text, or None when it is clean."""
        cut = _Text.of(text)
        for view, words in zip(self._views[:2], cut.words[:2], strict=True):
            for number in view.equal.get(tuple(words), ()):
                # Short texts may differ in their operators alone: 3+4 and 3-4 have the same words.
                if len(words) >= RUN_WORDS or self._tokens[number] == cut.tokens.tokens:
                    return self._found(number, 1.0, "equal")
        if self.method is Method.EXACT:
            return None
        return self._by_runs(cut) or self._by_subsequence(cut) or self._by_containment(cut.tokens)

    def _by_runs(self, cut: _Text) -> Match | None:
        best: tuple[float, int] | None = None
        for view, words in zip(self._views, cut.words, strict=True):
            for number, share in view.shares(words):
                if share >= self.min_share and (best is None or (share, -number) > (best[0], -best[1])):
                    best = (share, number)
        return None if best is None else self._found(best[1], best[0], "runs")

    def _by_subsequence(self, cut: _Text) -> Match | None:
        for view, words in zip((self._views[0], self._views[2]), (cut.words[0], cut.words[2]), strict=True):
            runs = {
                run for length in {SUBSEQUENCE_RUN_WORDS, cut.long_run_length} for run in _runs(words, length)
            }  # fmt: skip
            suspects = {number for run in runs for number in view.long_runs.get(run, ())}
            for number in sorted(suspects):
                length = common_subsequence(words, view.words[number])
                share = length / max(len(words), len(view.words[number]))
                if share > SUBSEQUENCE_SHARE:
                    return self._found(number, share, "subsequence")
        return None

    def _by_containment(self, text: CanonicalText) -> Match | None:
        number = self._whole.inside(text)
        if number is None and len(text.tokens) <= SHORT_TOKENS and _is_telling(text.tokens):
            number = self._parts.get(text.tokens)
        return None if number is None else self._found(number, 1.0, "contained")

    def _found(self, number: int, share: float, reason: str) -> Match:
        benchmark, problem_id = self._names[number]
        return Match(matched_id=problem_id, benchmark=benchmark, overlap=round(min(share, 1.0), 4), reason=reason)


class _Index:
    """Short benchmark problems by their first token, to be found as a whole between two ends of sentences."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, ...], int] = {}
        self._lengths: dict[str, set[int]] = defaultdict(set)

    def add(self, tokens: tuple[str, ...], number: int) -> None:
        """Take in a problem."""
        self._numbers.setdefault(tokens, number)
        self._lengths[tokens[0]].add(len(tokens))

    def inside(self, text: CanonicalText) -> int | None:
        """A problem that stands whole in ``text``; an instruction may lead into it without a colon."""
        tokens = text.tokens
        for start, token in enumerate(tokens):
            if start not in text.breaks and not _is_word(tokens[start - 1]):
                continue
            for length in self._lengths.get(token, ()):
                number = self._numbers.get(tokens[start : start + length])
                if number is not None and _ends(text, start + length):
                    return number
        return None


def _ends(text: CanonicalText, place: int) -> bool:
    """Whether a question that reaches up to ``place`` ends there: with its sentence, or where an instruction begins."""
    following = text.tokens[place : place + 2]
    return place in text.breaks or following[0] in _INSTRUCTS or (following[0] == "and" and following[-1] in _INSTRUCTS)


def _is_word(token: str) -> bool:
    """A word of a sentence, and not a number, an operator or the name of a variable."""
    return len(token) > 1 and token.isalpha()


def _is_telling(tokens: tuple[str, ...]) -> bool:
    """Whether so short a text says enough to be the same problem wherever it stands: "Find x." does not."""
    if len(tokens) > SHORT_TOKENS:
        return False
    num_numbers = sum(token[0].isdigit() for token in tokens)
    num_unspaced = sum(map(is_unspaced, tokens))
    if num_unspaced:
        return len(tokens) >= 6 if num_numbers else num_unspaced >= 10
    if num_numbers:
        return len(tokens) >= 4 if num_numbers >= 2 else len(tokens) >= 6
    return len(tokens) >= 5 and not _POINTING & set(tokens)


def _sentence_spans(text: CanonicalText) -> list[tuple[str, ...]]:
    """Sentences in a row that hold every number of the text: the question, without what only says how to answer."""
    tokens = text.tokens
    numbered = [index for index, token in enumerate(tokens) if token[0].isdigit()]
    if not numbered:
        return []
    places = sorted(text.breaks)
    spans = [
        tokens[start:end]
        for start in places
        if start <= numbered[0]
        for end in places
        if numbered[-1] < end <= start + SHORT_TOKENS
    ]
    return [span for span in spans if len(span) < len(tokens) and _is_telling(span)]


def decontaminate(
    train: Iterable[Problem],
    benchmarks: Iterable[tuple[str, Iterable[Problem]]],
    *,
    min_share: float = 0.5,
    method: Method = Method.OVERLAP,
) -> Decontaminated:
    """Split training problems into kept and removed."""
    index = Decontaminator(benchmarks, min_share=min_share, method=method)
    kept: list[Problem] = []
    removed: list[RemovedProblem] = []
    for problem in train:
        match = index.match(problem.problem)
        if match is None:
            kept.append(problem)
        else:
            removed.append(RemovedProblem(problem=problem, match=match))
    return Decontaminated(kept, removed)


def common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest common subsequence, one row of the table at a time as the bits of an integer."""
    # Hyyrö's bit-parallel algorithm: bit i of ``row`` is 0 where the table's row grows by one at column i. One addition
    # of long integers does a whole row of it.
    places: dict[str, int] = defaultdict(int)
    for index, word in enumerate(a):
        places[word] |= 1 << index
    full = (1 << len(a)) - 1
    row = full
    for word in b:
        matched = row & places.get(word, 0)
        row = ((row + matched) | (row - matched)) & full
    return len(a) - row.bit_count()


def _runs(words: Sequence[str], length: int) -> list[tuple[str, ...]]:
    """All runs of ``length`` words, in order, repeats too."""
    return [tuple(words[i : i + length]) for i in range(len(words) - length + 1)]
