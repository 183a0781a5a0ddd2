"""``--record``: what is served becomes a run folder that every later stage reads, while it grows and after a restart."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.conftest import RunCli

from selftaught.errors import ConfigError
from selftaught.problems import load_file
from selftaught.records import Trajectory
from selftaught.rollouts.verify import verify_run
from selftaught.serve.backend import Backend
from selftaught.serve.options import ServeOptions
from selftaught.store import read_jsonl, write_records

from .living import QUESTION, Living, lines_of, living

EASY = "What is 3 plus 4?"


def ask(server: Living, question: str, **more: Any) -> dict[str, Any]:
    body = {"model": "toy", "messages": [{"role": "user", "content": question}], **more}
    with httpx2.Client(timeout=60) as http:
        response = http.post(f"{server.url}/chat/completions", json=body)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.fixture(scope="module")
def run(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record of several ways of asking, with one question asked again and one chat of two turns."""
    folder = tmp_path_factory.mktemp("record") / "run"
    with living(backend, ServeOptions(record=folder)) as server:
        ask(server, QUESTION, model="toy:hint")
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda question: ask(server, question), [EASY, QUESTION, EASY, EASY]))
        ask(server, EASY, temperature=1.0, n=2)
        chat = [{"role": "user", "content": EASY}, {"role": "assistant", "content": "7"}]
        ask(server, QUESTION, messages=[*chat, {"role": "user", "content": QUESTION}], metadata={"problem_id": "mine"})
    return folder


def rows(folder: Path) -> list[Trajectory]:
    return list(read_jsonl(folder / "trajectories.jsonl", Trajectory))


def test_every_way_of_asking_has_a_folder(run: Path) -> None:
    names = sorted(folder.name for folder in run.iterdir())
    assert names[:2] == ["toy", next(name for name in names if name.startswith("toy-") and name != "toy-hint")]
    assert "toy-hint" in names and len(names) == 3
    assert len(rows(run / "toy")) == 5 and len(rows(run / "toy-hint")) == 1


def test_samples_of_one_question_are_numbered(run: Path) -> None:
    plain = rows(run / "toy")
    by_problem: dict[str, list[int]] = {}
    for one in plain:
        by_problem.setdefault(one.problem_id, []).append(one.sample)
        assert one.id == f"{one.problem_id}#{one.sample}"
    assert sorted(map(sorted, by_problem.values())) == [[0], [0], [0, 1, 2]]
    assert by_problem["mine"] == [0]
    problems = {problem.id: problem for problem in load_file(run / "toy" / "problems.jsonl")}
    assert set(problems) == set(by_problem)
    assert [turn["role"] for turn in problems["mine"].metadata["chat"]] == ["user", "assistant", "user"]
    sampled = next(folder for folder in run.iterdir() if folder.name not in ("toy", "toy-hint"))
    first, second = rows(sampled)
    assert (first.sample, second.sample) == (0, 1) and first.spans[1].token_ids != second.spans[1].token_ids


def test_the_record_is_token_exact(run: Path, backend: Backend) -> None:
    for folder in run.iterdir():
        assert list(verify_run(folder, backend.engine.codec)) == [None] * len(rows(folder))


def test_a_recorded_chat_is_rolled_out_as_it_was(run: Path, run_cli: RunCli, tmp_path: Path) -> None:
    again = tmp_path / "again"
    done = run_cli("rollout", run / "toy" / "problems.jsonl", "--model", "toy", "--out", again, "--workers", "0")
    assert done.exit_code == 0, done.stderr
    recorded = {one.problem_id: one for one in rows(run / "toy") if one.sample == 0}
    for one in rows(again):
        assert one.token_ids() == recorded[one.problem_id].token_ids()


def test_without_references_all_stays_ungraded(run: Path, run_cli: RunCli) -> None:
    done = run_cli("grade", run, "--json")
    graded = json.loads(done.stdout)["runs"]
    assert done.exit_code == 0 and [one["total"] for one in graded] == [0, 0, 0]
    assert sum(one["ungraded"] for one in graded) == 8
    assert run_cli("report", run).exit_code == 0
    assert "not graded" in (run / "report.md").read_text("utf-8")


def test_references_are_found_by_the_question(run: Path, run_cli: RunCli, tmp_path: Path) -> None:
    problems = tmp_path / "references.jsonl"
    problems.write_text(
        "".join(
            json.dumps({"id": name, "problem": question, "answer": answer}) + "\n"
            for name, question, answer in (("p1", EASY, "7"), ("p2", "What is 1 plus 1?", "2"))
        )
    )
    done = run_cli("grade", run, "--problems", problems, "--json")
    assert done.exit_code == 0, done.stderr
    plain = next(one for one in json.loads(done.stdout)["runs"] if Path(one["grades"]).parent.name == "toy")
    assert plain["total"] == 3 and plain["accuracy"] == 1.0 and plain["ungraded"] == 2
    assert run_cli("report", run).exit_code == 0
    curated = run_cli("curate", run / "toy", "--out", tmp_path / "data")
    assert curated.exit_code == 0, curated.stderr


def test_a_record_goes_on_after_a_restart(backend: Backend, tmp_path: Path) -> None:
    options = ServeOptions(record=tmp_path / "run")
    for expected in ([0], [0, 1]):
        with living(backend, options) as server:
            ask(server, EASY)
        assert [one.sample for one in rows(tmp_path / "run" / "toy")] == expected
    torn = tmp_path / "run" / "toy" / "trajectories.jsonl"
    torn.write_bytes(torn.read_bytes() + b'{"id":"torn')  # killed in the middle of a line
    with living(backend, options) as server:
        ask(server, EASY)
        assert lines_of(torn) == 3 and [one.sample for one in rows(torn.parent)] == [0, 1, 2]


def test_a_folder_of_other_settings_is_left_alone(backend: Backend, tmp_path: Path) -> None:
    with living(backend, ServeOptions(record=tmp_path / "run")) as server:
        ask(server, EASY)
    other = backend.settings.changed(max_tokens=999)
    with living(backend, ServeOptions(record=tmp_path / "run"), settings=other) as server:
        ask(server, EASY)
    folders = sorted((tmp_path / "run").iterdir())
    assert len(folders) == 2 and [len(rows(folder)) for folder in folders] == [1, 1]


def test_one_writer_at_a_time(backend: Backend, tmp_path: Path) -> None:
    with living(backend, ServeOptions(record=tmp_path / "run")) as server:
        ask(server, EASY)
        second = pytest.raises(ConfigError, match="being written")
        with second, living(backend, ServeOptions(record=tmp_path / "run")) as other:
            recorder = other.server.recorder
            assert recorder is not None
            recorder.open_for(other.server.catalog)


def test_a_problem_with_a_reference_is_judged_by_it(backend: Backend, tmp_path: Path, run_cli: RunCli) -> None:
    with living(backend, ServeOptions(record=tmp_path / "run")) as server:
        ask(server, EASY)
    path = tmp_path / "run" / "toy" / "problems.jsonl"
    problems = [problem.model_copy(update={"answer": "7"}) for problem in load_file(path)]
    write_records(path, problems)
    done = run_cli("grade", tmp_path / "run", "--json")
    assert json.loads(done.stdout)["runs"][0]["accuracy"] == 1.0
