"""Where a set of problems may lie: a file, a folder with splits, a data set on the hub, a benchmark's name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from selftaught.errors import ConfigError, DataError, MissingPartError
from selftaught.problems import BENCHMARKS, ProblemQuery, load_problems, parse_benchmark
from selftaught.problems.folders import choose_files, group_of
from selftaught.problems.hub import parse_hub_id


def write(path: Path, *questions: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"problem": text, "answer": "1"}) + "\n" for text in questions))
    return path


def texts(source: str | Path, **options: Any) -> list[str]:
    return [problem.problem for problem in load_problems(source, **options)]


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("data/train-00000-of-00004.parquet", "train"),
        ("data/train-00001-of-00004-a1b2c3d4e5f60718.parquet", "train"),
        ("main/test-00000-of-00001.parquet", "main/test"),
        ("default/train/0003.parquet", "default/train"),
        ("train.jsonl.gz", "train"),
        ("part-0.parquet", "part"),
        ("data/dapo-math-17k.parquet", "dapo-math-17k"),
    ],
)
def test_groups_of_files(name: str, group: str) -> None:
    assert group_of(name) == group


def test_one_group_is_taken_and_several_must_be_named() -> None:
    one = [
        "README.md",
        ".cache/x.jsonl",
        "data/train-00000-of-00002.parquet",
        "data/train-00001-of-00002.parquet",
        "infos.json",
    ]
    assert choose_files(one, "", "S") == one[2:4]
    several = [*one, "data/test-00000-of-00001.parquet"]
    with pytest.raises(ConfigError, match=r"S holds 2 sets: test, train; name one, such as S/test"):
        choose_files(several, "", "S")
    assert choose_files(several, "train", "S") == one[2:4]
    with pytest.raises(DataError, match="holds no 'dev'; expected one of test, train"):
        choose_files(several, "dev", "S")
    with pytest.raises(DataError, match="holds no problem file"):
        choose_files(["README.md"], "", "S")
    assert choose_files(["main/train.json", "socratic/train.json"], "main", "S") == ["main/train.json"]


def test_a_folder_is_one_set(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    write(folder / "data" / "train-00000-of-00002.jsonl", "a", "b")
    write(folder / "data" / "train-00001-of-00002.jsonl", "c")
    assert texts(str(folder)) == ["a", "b", "c"]
    write(folder / "data" / "test.jsonl", "d")
    with pytest.raises(ConfigError, match="2 sets"):
        texts(folder)
    assert texts(f"{folder}/test") == ["d"]
    assert texts(f"{folder}/train", limit=2) == ["a", "b"]


def test_a_run_folder_means_its_problems(tmp_path: Path) -> None:
    write(tmp_path / "problems.jsonl", "a")
    (tmp_path / "trajectories.jsonl").write_text("")
    assert texts(tmp_path) == ["a"]


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("AI-MO/NuminaMath-1.5", ("AI-MO/NuminaMath-1.5", None, "")),
        ("openai/gsm8k/main/train", ("openai/gsm8k", None, "main/train")),
        ("openai/gsm8k@abc123/main", ("openai/gsm8k", "abc123", "main")),
        ("folder/problems.jsonl", None),
        ("../up/there", None),
        ("alone", None),
    ],
)
def test_hub_ids(source: str, parts: tuple[str, str | None, str] | None) -> None:
    assert parse_hub_id(source) == parts


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub of one folder: ``OWNER/NAME`` is the data set that lies there."""
    client = pytest.importorskip("huggingface_hub")
    root = tmp_path / "hub"

    def listed(repo: str, **options: Any) -> list[str]:
        if not (root / repo).is_dir():
            raise OSError(f"404: {repo} is not there\nmore")
        return [file.relative_to(root / repo).as_posix() for file in (root / repo).rglob("*") if file.is_file()]

    def fetched(repo: str, name: str, **options: Any) -> str:
        if not (root / repo / name).is_file():
            raise OSError(f"404: {repo}/{name} is not there")
        return str(root / repo / name)

    monkeypatch.setattr(client, "list_repo_files", listed)
    monkeypatch.setattr(client, "hf_hub_download", fetched)
    monkeypatch.delenv("SELFTAUGHT_DATA", raising=False)
    return root


def test_a_data_set_of_the_hub(hub: Path) -> None:
    write(hub / "me" / "mine" / "data" / "train-00000-of-00001.jsonl", "a", "b")
    write(hub / "me" / "mine" / "other" / "test.jsonl", "c")
    assert texts("me/mine/train") == ["a", "b"]
    assert texts("me/mine/other/test") == ["c"]
    assert texts("me/mine@v1.0/train") == ["a", "b"]
    with pytest.raises(MissingPartError, match=r"me/none cannot be fetched from the hub \(404: me/none is not there\)"):
        texts("me/none")


def test_benchmarks_of_the_hub_are_adapted(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [{"problem_idx": 1, "problem": "A", "answer": 277}, {"problem_idx": 2, "problem": "B", "answer": 62}]
    for repo, name in (("MathArena/aime_2026", "train"), ("ByteDance-Seed/BeyondAIME", "test")):
        file = hub / repo / "data" / f"{name}-00000-of-00001.parquet"
        file.parent.mkdir(parents=True)
        parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    problems = load_problems("aime26")
    assert [(p.id, p.answer, p.source) for p in problems] == [
        ("aime26/1", "277", "AIME 2026"),
        ("aime26/2", "62", "AIME 2026"),
    ]
    assert "has changed (SHA-256" in capsys.readouterr().err
    assert [problem.id for problem in load_problems("beyond_aime", limit=1)] == ["beyond_aime/1"]
    with pytest.raises(ConfigError, match="whose columns are known"):
        load_problems("aime26", mapping="problem=question")


@pytest.mark.parametrize(
    ("name", "size"),
    [("aime26", 30), ("hmmt_feb25", 30), ("hmmt_feb26", 33), ("brumo25", 30), ("beyond_aime", 100), ("mbpp", 484)],
)
def test_newer_benchmarks_are_registered(name: str, size: int) -> None:
    benchmark = BENCHMARKS[name]
    assert benchmark.size == size and benchmark.licence and benchmark.hub_revision
    assert benchmark.hub_revision != "main" or benchmark.sha256 or "No revision" in benchmark.note


def test_a_set_of_the_data_folder_may_be_of_any_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFTAUGHT_DATA", str(tmp_path))
    (tmp_path / "brumo25.json").write_text(json.dumps([{"problem": "a", "answer": "1"}]))
    assert texts("brumo25") == ["a"]


def test_generated_problems_take_no_mapping() -> None:
    assert len(ProblemQuery.of("toy-test", limit=3).load()) == 3
    with pytest.raises(ConfigError, match="generated"):
        load_problems("toy-test", drop="answer = 1")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("AI-MO/NuminaMath-1.5", "NuminaMath-1.5"),
        ("x/my.set.jsonl.gz", "my.set"),
        ("x/my-set.parquet:4", "my-set"),
        ("aime24:16", "aime24"),
    ],
)
def test_names_in_tables(source: str, name: str) -> None:
    assert parse_benchmark(source).name == name
