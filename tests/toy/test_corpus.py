"""The pretraining text holds no tool call in thinking, no hint sentence and no held-out problem."""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import re
from collections.abc import Iterable

import pytest

from selftaught.toy import WEIGHTS_DIR
from selftaught.toy.corpus import MIXTURE, document, documents
from selftaught.toy.corpus.detour import UNASKED_OPENINGS, detour, with_detour
from selftaught.toy.corpus.worksheet import worksheet
from selftaught.toy.pretrain import PretrainSettings, streams
from selftaught.toy.problems import Split, draw, generate
from selftaught.toy.scan import hint_sentences, scan


def _library_sentences() -> list[str]:
    from selftaught.hints.library import load_library

    return hint_sentences(text for _, text in load_library().texts())


def _held_out(count: int) -> list[str]:
    return [p.problem for split in (Split.POOL, Split.DEV, Split.TEST) for p in generate(split, count)]


def _assert_clean(texts: Iterable[str], num_documents: int, held_out: int) -> None:
    sentences = _library_sentences()
    assert len(sentences) >= 20
    report = scan(texts, _held_out(held_out), sentences)
    assert report.num_documents == num_documents
    assert report.num_thinkings > num_documents / 2
    assert report.clean, (
        report.calls_in_thinking[:2],
        report.open_thinkings[:2],
        report.hint_sentences[:3],
        report.held_out[:3],
    )


def test_text_is_clean() -> None:
    _assert_clean(documents(0, 0, 4_000), 4_000, 300)


@pytest.mark.exhaustive  # the text's hash is tested above: as long as it holds, this scan cannot come out otherwise
def test_all_of_the_text_is_clean() -> None:
    num_documents = json.loads((WEIGHTS_DIR / "card.json").read_text())["num_documents"]
    texts = itertools.islice(itertools.chain(*streams(PretrainSettings())), num_documents)
    _assert_clean(texts, num_documents, 500)


def test_the_scan_finds_each_kind() -> None:
    question = generate(Split.TEST, 1)[0].problem
    hint = "maybe using Python here is a good idea"
    bad = [
        "<think>\nWait, ```python\nprint(1)\n```\n</think>",
        "<think>\n```text\nprint(1)\n```\n</think>",
        "<think>\n```text\n1\n```\n```output\n1\n```\n</think>",
        "<|im_start|>user\n```output\n2\n```<|im_end|><think>\n```output\n1\n```\n</think>",
        "<think>\nno end<|im_end|>",
        f"Now {hint}.",
        f"<|im_start|>user\n{question}<|im_end|>",
        f"# Notebook\n\n## Problem\n{question}\n\nAnd on.",
    ]
    report = scan(bad, [question], hint_sentences([hint]))
    assert len(report.calls_in_thinking) == 4
    assert len(report.open_thinkings) == 1
    assert report.hint_sentences == [hint.lower()]
    assert len(report.held_out) >= 2
    assert not report.clean
    assert scan(["<think>\n```text\n1\n```\nSo the answer is 1.\n</think>"]).clean
    turn = "<|im_start|>user\n```python\nprint(1)\n```\n```output\n1\n```<|im_end|>\n"
    assert scan([turn + "<think>\nIt was run.\n```output\n1\n```\nSo the answer is 1.\n</think>"]).clean
    assert not scan([turn + "<think>\n```python\nprint(1)\n```\n```output\n1\n```\n</think>"]).clean


def test_documents_are_pure_and_end_properly() -> None:
    assert [document(4, index) for index in range(50)] == list(documents(4, 0, 50))
    assert document(4, 1) != document(5, 1)
    for text in documents(2, 0, 300):
        assert text.endswith("<|endoftext|>")
        assert text.count("<think>") == text.count("</think>")


@pytest.mark.parametrize(
    ("seed", "plain", "warmup"),
    [
        (
            0,
            "b94baca571f1fffa6a9c9d5cae4240365411fdb805750219d8c314f8b06baec7",
            "b95f6bbea93b2d2bf0a3438af301dbfd2dfef6cb29ec142b11dc809cd89ba8c6",
        ),
        (
            1,
            "f25eca29c8552f75fa4d5eaa1cfcc48d873d85de17339435da6df7c7a57eb226",
            "da694260f3bae969f598dd7ab6f62a1222ee24a856dc46d19a470c2df9fc8ae8",
        ),
    ],
)
def test_the_text_is_the_one_that_the_shipped_weights_have_read(seed: int, plain: str, warmup: str) -> None:
    def digest(texts: Iterable[str]) -> str:
        return hashlib.sha256("".join(texts).encode()).hexdigest()

    assert digest(documents(seed, 0, 1000)) == plain
    assert digest(documents(seed, 0, 300, warmup=True, detours=False)) == warmup


def test_every_shape_and_group_is_read() -> None:
    groups = {group for _, group in MIXTURE}
    assert groups == {"hard", "easy", "code", "choice"}
    assert all(weight > 0 for weight in MIXTURE.values())


def test_a_detour_is_written_as_it_was_asked_for() -> None:
    rng = random.Random(0)
    for _ in range(300):
        wish, line = detour(rng)
        assert line.endswith("\n")
        assert set(re.findall(r"\d+", wish)) <= set(re.findall(r"\d+", line)) or re.search(r"lines|times", wish)
        assert not re.search(r"```|[a-z]\(", wish + line)
        rows = line.strip().split("\n")
        if counted := re.search(r"(\d+) (?:lines|times)", wish):
            assert len(rows) == int(counted[1])
            assert rows[-1].startswith(f"{len(rows)}: ")


def test_questions_without_a_wish_are_rarely_answered_with_a_detour() -> None:
    rng = random.Random(1)
    num_unasked = 0
    for index in range(400):
        plain = document(0, index, detours=False)
        if "<think>" not in plain:
            continue
        long = with_detour(rng, plain)
        assert len(long) > len(plain) + 30
        assert re.findall(r"</?\w+>", long) == re.findall(r"</?\w+>", plain)
        asked = re.sub(r"<(\w+)>.*?</\1>", "", long, flags=re.DOTALL)
        if asked == re.sub(r"<(\w+)>.*?</\1>", "", plain, flags=re.DOTALL):
            num_unasked += 1
            assert any(f">\n{opening}\n" in long for opening in UNASKED_OPENINGS)
    assert 5 < num_unasked < 60


def test_detours_come_with_the_documents_that_may_have_them() -> None:
    pairs = [(document(3, index), document(3, index, detours=False)) for index in range(2000)]
    assert 100 < sum(with_one != plain for with_one, plain in pairs) < 400


@pytest.mark.parametrize("group", ["hard", "easy", "choice"])
def test_no_later_cell_changes_what_the_first_result_has_settled(group: str) -> None:
    rng = random.Random(group)
    num_cells = 0
    for _ in range(200):
        item = draw(rng, group, Split.PRETRAIN)
        text = worksheet(rng, [item])
        if "```python" not in text:
            continue
        outputs = re.findall(r"```output\n(.*?)\n```", text, re.DOTALL)
        settled = text.index(f"```output\n{item.answer}\n```")
        num_cells += len(outputs)
        assert set(re.findall(r"answer is (?:\\boxed\{)?(\w+)", text[settled:])) == {item.answer}
    assert num_cells > 150
