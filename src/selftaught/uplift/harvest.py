"""Hints that a model makes itself: the sentence that it writes just before a fence, in trajectories that are right.

``trajectories + grades + problems → sentences → clusters → a hint library``. A sentence is taken where the model opened
the block itself and the block ran. No text of a problem may get into a hint, since the hint goes into other problems: a
sentence with a number, a formula, a name or a run of `SHARED_WORDS` words of any problem is refused, and so is one with a
word of its own problem that no hint of the library has. A cluster must come from several problems.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from selftaught.errors import DataError
from selftaught.hints.library import HintLibrary
from selftaught.problems import load_file
from selftaught.records import ExecStatus, Grade, Problem, SpanSource, Trajectory
from selftaught.runs.found import find_rollouts, problem_file
from selftaught.store import read_jsonl

SHARED_WORDS = 3
"""So many words in a row that also stand in a problem are problem text."""
ALIKE = 0.6
"""Jaccard overlap of words and word pairs from which on two sentences are one hint."""
FEWEST_WORDS, MOST_WORDS = 4, 40
_FENCE = re.compile(r"^[ \t]*```(?:python|py)[ \t]*$", re.MULTILINE)
_TOPIC = re.compile(r"\b(?:python|code|program|script|run|compute|calculate|interpreter)\b", re.IGNORECASE)
_LEAD = re.compile(r"(?:\b(?:Wait|Alternatively|Hmm|But wait)\b[,.]?|等等[，,]?|或者[，,]?)\s*")
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_REFUSED: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("a number", re.compile(r"\d")),
    ("a formula or markup", re.compile(r"[\\$`{}<>=|^*_+/\[\]()#]")),
    ("a variable", re.compile(r"(?<![\w'])[b-hj-zB-HJ-Z](?![\w'])")),
    ("a word twice in a row", re.compile(r"\b(\w+) \1\b", re.IGNORECASE)),
    ("a name", re.compile(r"(?<=[a-z,;] )(?!I\b|I'|Python\b)[A-Z]")),
)
"""What a hint must not hold, and how it is seen."""


@dataclass(frozen=True)
class Sentence:
    """One sentence before a fence."""

    text: str
    problem: str


@dataclass
class Cluster:
    """Sentences that say the same; ``text`` is the most common of them."""

    text: str
    count: int = 0
    problems: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Harvest:
    """New hints, the most common first, and what became of all sentences."""

    clusters: list[Cluster]
    num_sentences: int
    refused: Mapping[str, int]
    """Reason → sentences."""
    known: Mapping[str, int]
    """Id of a hint of the library → sentences that say the same."""


def sentences(trajectories: Iterable[Trajectory], right: set[str]) -> Iterator[Sentence]:
    """The sentence before each block that the model opened in its thinking and that ran, in right trajectories."""
    for trajectory in trajectories:
        if trajectory.id not in right:
            continue
        for span, after in zip(trajectory.spans, trajectory.spans[1:], strict=False):
            ran = after.tool is not None and after.tool.status is ExecStatus.OK
            if span.source is SpanSource.MODEL and ran:
                found = list(_FENCE.finditer(span.text))
                text = sentence_before(span.text[: found[-1].start()]) if found else ""
                if text:
                    yield Sentence(text, trajectory.problem_id)


def sentence_before(text: str) -> str:
    """The sentence that ``text`` ends with: from the last "Wait," of its line, or its last sentence, without the lead.

    It begins as it would go on after a trigger word: with a small letter, but for ``I`` and ``Python``.
    """
    line = text.rstrip().rpartition("\n")[2].strip()
    leads = list(_LEAD.finditer(line))
    if leads:
        line = line[leads[-1].end() :]
    else:
        line = re.split(r"(?<=[.!?。！？])\s+", line)[-1]
    line = " ".join(line.split())
    if line[:1].isupper() and not re.match(r"(?:I|Python)\b", line):
        line = line[0].lower() + line[1:]
    return line.rstrip(":") + "." if line.endswith(":") else line


def harvest_run(
    run: Path, library: HintLibrary, condition: str | None = None, *, fewest_problems: int = 3, most: int = 8
) -> tuple[Harvest, str]:
    """Harvest every graded rollout at or below ``run``, or those of one condition; and the names of their models.

    DataError when there is none.
    """
    # Of a recipe's run not what was measured: nothing is learned from test problems.
    found = [
        one for one in find_rollouts(run) if one.folder.grades.is_file() and (one.stage is None or not one.is_test)
    ]
    named = [one for one in found if condition is None or one.condition == condition]
    if not named:
        known = ", ".join(dict.fromkeys(one.condition for one in found))
        what = (
            f"no graded rollout of condition {condition!r}; it has {known}" if found else "no grades; run grade first"
        )
        raise DataError(f"{run} has {what}.")
    problems: dict[str, Problem] = {}
    collected: list[Sentence] = []
    for one in named:
        problems |= {problem.id: problem for problem in load_file(problem_file(one))}
        right = {grade.trajectory_id for grade in read_jsonl(one.folder.grades, Grade) if grade.correct}
        collected += sentences(read_jsonl(one.folder.trajectories, Trajectory), right)
    models = ", ".join(dict.fromkeys(one.condition for one in named))
    return harvest(collected, problems, library, fewest_problems=fewest_problems, most=most), models


def harvest(
    found: Iterable[Sentence],
    problems: Mapping[str, Problem],
    library: HintLibrary,
    *,
    fewest_problems: int = 3,
    most: int = 8,
) -> Harvest:
    """Cluster ``found``, leave out what leaks or is known, and keep the ``most`` common clusters."""
    shared = _runs(problem.problem for problem in problems.values())
    vocabulary = {word for _, text in library.texts() for word in words_of(text)}
    refused: Counter[str] = Counter()
    clean: list[Sentence] = []
    num_sentences = 0
    for sentence in found:
        num_sentences += 1
        problem = problems.get(sentence.problem)
        why = refusal(sentence.text, shared) or _topic_word(sentence.text, problem, vocabulary)
        if why is None:
            clean.append(sentence)
        else:
            refused[why] += 1
    known: Counter[str] = Counter()
    old = [(place, _grams(text)) for place, text in library.texts()]
    kept = []
    for cluster in clusters_of(clean):
        same = next((place for place, grams in old if overlap(_grams(cluster.text), grams) >= ALIKE), None)
        if same is not None:
            known[same] += cluster.count
        elif len(cluster.problems) < fewest_problems:
            refused[f"fewer than {fewest_problems} problems"] += cluster.count
        else:
            kept.append(cluster)
    return Harvest(kept[:most], num_sentences, dict(refused.most_common()), dict(known.most_common()))


def refusal(text: str, shared: set[tuple[str, ...]]) -> str | None:
    """Why ``text`` cannot be a hint; ``shared`` holds the runs of words of the problems."""
    words = words_of(text)
    if not FEWEST_WORDS <= len(words) <= MOST_WORDS:
        return f"not {FEWEST_WORDS} to {MOST_WORDS} words"
    if not _TOPIC.search(text):
        return "says nothing of code"
    for what, pattern in _REFUSED:
        if pattern.search(text):
            return what
    runs = zip(*(words[start:] for start in range(SHARED_WORDS)), strict=False)
    return "words of a problem" if any(run in shared for run in runs) else None


def _topic_word(text: str, problem: Problem | None, vocabulary: set[str]) -> str | None:
    if problem is None:
        return "its problem is not known"
    own = set(words_of(problem.problem))
    foreign = {word for word in words_of(text) if len(word) > 3 and word not in vocabulary}
    return "a word of its problem" if foreign & own else None


def clusters_of(found: Sequence[Sentence]) -> list[Cluster]:
    """Greedy clusters, the most common sentence first: a sentence joins the first cluster that says the same."""
    counts = Counter(sentence.text for sentence in found)
    clusters: list[tuple[frozenset[tuple[str, ...]], Cluster]] = []
    home: dict[str, Cluster] = {}
    for text, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        grams = _grams(text)
        cluster = next((one for seen, one in clusters if overlap(seen, grams) >= ALIKE), None)
        if cluster is None:
            cluster = Cluster(text)
            clusters.append((grams, cluster))
        home[text] = cluster
    for sentence in found:
        home[sentence.text].count += 1
        home[sentence.text].problems.add(sentence.problem)
    made = [cluster for _, cluster in clusters]
    return sorted(made, key=lambda one: (-len(one.problems), -one.count, one.text))


def words_of(text: str) -> list[str]:
    """Words in small letters."""
    return [word.lower() for word in _WORD.findall(text)]


def overlap(a: frozenset[tuple[str, ...]], b: frozenset[tuple[str, ...]]) -> float:
    """Jaccard overlap of two sets."""
    return len(a & b) / len(a | b) if a or b else 1.0


def _grams(text: str) -> frozenset[tuple[str, ...]]:
    """Words and pairs of words."""
    words = words_of(text)
    return frozenset([*((word,) for word in words), *zip(words, words[1:], strict=False)])


def _runs(texts: Iterable[str]) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for text in texts:
        words = words_of(text)
        found.update(zip(*(words[start:] for start in range(SHARED_WORDS)), strict=False))
    return found


def as_library(found: Harvest, model: str) -> dict[str, Any]:
    """The new hints as the content of a library file, with a policy ``made`` that puts them where the paper does."""
    functions = {
        f"made_{number}": {
            "purpose": f"made by {model or 'the model'}: {one.count} times in {len(one.problems)} right problems",
            "en": [one.text],
        }
        for number, one in enumerate(found.clusters, start=1)
    }
    places: tuple[dict[str, Any], ...] = (
        {"name": "after_word", "when": "word", "words": ["Wait", "Alternatively"], "probability": 0.5},
        {"name": "end", "when": "end_of_thinking", "lead": {"en": "Wait, ", "zh": "等等，"}},
    )
    # Lists of their own for each rule: YAML would write a list that stands twice as a reference.
    rules = [{**place, "hints": list(functions), "unless": ["hinted", "called"]} for place in places]
    policies = {"made": {"purpose": "hints that the model made itself, where the paper puts hints", "rules": rules}}
    return {"functions": functions, "policies": policies} if functions else {}
