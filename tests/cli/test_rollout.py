"""``selftaught rollout``: the run without hints beside the hinted one, and what is said of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.conftest import RunCli

from selftaught.records import Trajectory
from selftaught.store import read_jsonl, write_records
from selftaught.toy.problems import generate

OPTIONS = ("--model", "toy", "--workers", "0", "--max-tokens", "300", "--dtype", "float32")


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    write_records(tmp_path / "p.jsonl", generate("dev", counts={"easy": 3}, seed=2))
    return tmp_path / "p.jsonl"


def test_the_plain_run_beside(problems: Path, tmp_path: Path, run_cli: RunCli) -> None:
    hinted, plain = tmp_path / "hinted", tmp_path / "plain"
    options = (*OPTIONS, "--hints", "before_conclusion")
    done = run_cli("rollout", problems, *options, "--out", hinted, "--plain", plain, "--plain-no-tools")
    assert done.exit_code == 0
    assert re.search(r"3 trajectories without hints beside them; \d+ tokens sampled for both, \d+% fewer", done.stderr)
    assert run_cli("verify", plain).exit_code == 0
    found = list(read_jsonl(plain / "trajectories.jsonl", Trajectory))
    assert len(found) == 3 and all(one.shared_tokens and not one.tool_calls() for one in found)
    # The folder is that of an ordinary run: the plain command goes on in it, and has nothing to do.
    again = run_cli("rollout", problems, *OPTIONS, "--no-tools", "--out", plain)
    assert again.exit_code == 0 and "nothing new" in again.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--plain", "P"), "hints is none"),
        (("--hints", "auto", "--plain-no-tools"), "without plain"),
        (("--hints", "auto", "--plain", "P", "--plain-no-tools", "--temperature", "1"), "temperature is 1"),
    ],
)
def test_what_cannot_be_forked_is_refused(
    options: tuple[str, ...], message: str, problems: Path, tmp_path: Path, run_cli: RunCli
) -> None:
    done = run_cli("rollout", problems, *OPTIONS, "--out", tmp_path / "run", *options)
    assert done.exit_code == 2 and message in done.stderr
