"""``hints uplift``, ``learn``, ``explain``: from forks to a policy that a rollout takes, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.uplift.worlds import fork, probe

from selftaught.store import write_records


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A probe whose hints are those of the library, so that a policy can be used."""
    folder = tmp_path_factory.mktemp("probe")
    forks = []
    for one in probe(400):
        for branch, name in zip(one.hinted, ("general", "check_logic"), strict=True):
            branch.arm, branch.function = f"{name}/en/0", name
        forks.append(one)
    write_records(folder / "forks.jsonl", forks)
    return folder


def test_the_table_in_words_and_as_json(run: Path, run_cli) -> None:  # type: ignore[no-untyped-def]
    done = run_cli("hints", "uplift", str(run))
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("400 forks of 400 problems")
    assert next(line for line in lines if " general " in line).endswith("helps")
    assert next(line for line in lines if " check_logic " in line).endswith("harms")
    table = json.loads(run_cli("hints", "uplift", str(run), "--json", "--by", "hint").stdout)
    assert {row["hint"]: row["verdict"] for row in table["rows"]} == {"general": "helps", "check_logic": "harms"}


def test_a_policy_is_learned_explained_and_shown(run: Path, run_cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "policy.json"
    done = run_cli("hints", "learn", str(run), "--out", str(out))
    assert done.exit_code == 0, done.stderr
    assert "on the other half of the problems" in done.stdout and f"--hints {out}" in done.stderr
    again = json.loads(run_cli("hints", "learn", str(run), "--out", str(out), "--design", "a", "--json").stdout)
    assert again["design"] == "cells" and again["held_out"]["broken"] == 0
    told = run_cli("hints", "explain", str(out)).stdout
    assert "general: math at end: general gains" in told and "barred: P(P(loss) > 2.0%)" in told
    assert "learned_math" in run_cli("hints", "show", f"{out}").stdout
    shown = run_cli("hints", "show", f"{out}:learned").stdout
    assert "as learned, or none" in shown and "code: code" in shown


def test_too_few_pairs_write_the_papers_policy_and_exit_0(tmp_path: Path, run_cli) -> None:  # type: ignore[no-untyped-def]
    write_records(tmp_path / "forks.jsonl", [fork("a", False, {"general": True})])
    out = tmp_path / "policy.json"
    done = run_cli("hints", "learn", str(tmp_path), "--out", str(out))
    assert done.exit_code == 0 and "so this is the paper's policy" in done.stdout
    assert json.loads(out.read_text())["design"] == "paper"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["uplift", "{run}", "--by", "hint,colour"],
            "--by is 'hint,colour'; expected some of hint, place, kind, difficulty",
        ),
        (["uplift", "{empty}"], "has no forks.jsonl; expected the folder that `selftaught hints probe"),
        (["learn", "{run}", "--out", "p.yaml"], "expected a file that ends in .json"),
        (["learn", "{run}", "--out", "/dev/null/p.json"], "cannot be written"),
        (["explain", "{run}/forks.jsonl"], "is not JSON"),
        (["harvest", "{empty}", "--out", "m.json"], "expected a file that ends in .yaml"),
        (["harvest", "{empty}", "--out", "m.yaml"], "holds no trajectories.jsonl"),
    ],
)
def test_mistakes_are_one_line_with_exit_2(
    run: Path,
    tmp_path: Path,
    run_cli,
    arguments: list[str],
    message: str,  # type: ignore[no-untyped-def]
) -> None:
    done = run_cli("hints", *(one.format(run=run, empty=tmp_path) for one in arguments))
    assert done.exit_code == 2 and message in done.stderr and done.stderr.count("\n") == 1
