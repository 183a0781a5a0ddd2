"""The verbs that show things: hints, ls, exec -c, completion."""

from __future__ import annotations

from typing import Any

import pytest

from selftaught.cli.ls import lines_of


def test_one_policy_with_its_odds_caps_and_gates(run_cli: Any) -> None:
    shown = run_cli("hints", "show", "math").stdout
    assert shown.startswith("policy math:") and "probability 0.5, at most 1 a trajectory" in shown
    assert "unless hinted, called" in shown and "the run's --rounds" in shown and "policy code" not in shown
    assert "policy math:" in run_cli("hints", "show", "auto").stdout, "a policy by kind shows those that it names"
    assert run_cli("hints", "show", "general").stdout.startswith("general: ")
    assert run_cli("hints", "show", "early", "--json").stdout.startswith("{")
    everything = run_cli("hints", "show").stdout
    assert "policy none" in everything and "complex_calculations:" in everything


@pytest.mark.parametrize("what", ["benchmarks", "hints", "engines", "recipes"])
def test_ls_fits_eighty_columns(what: str, run_cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run_cli("ls", what).stdout.splitlines()
    monkeypatch.setenv("COLUMNS", "80")
    narrow = run_cli("ls", what).stdout.splitlines()
    long = [line for line in narrow if len(line) > 80 and " " in line.strip()]
    assert not long and len(narrow) >= len(whole)


def test_ls_wraps_prose_below_its_row() -> None:
    rows = [{"name": "a", "note": "word " * 30}, {"name": "bc", "note": ""}]
    assert list(lines_of(rows, None))[1].startswith("a     word word")
    narrow = list(lines_of(rows, 40))
    assert narrow[:3] == ["name", "    note", "a"] and narrow[3].startswith("    word")
    assert all(len(line) <= 40 for line in narrow)


def test_engines_name_only_what_a_model_option_takes(run_cli: Any) -> None:
    assert "scripted" not in run_cli("ls", "engines").stdout


def test_code_on_the_command_line(run_cli: Any) -> None:
    result = run_cli("exec", "-c", "print(6 * 7)")
    assert result.exit_code == 0 and result.stdout == "42\n"
    assert run_cli("exec", "--code", "1/0").exit_code == 1


def test_the_shell_completes_verbs_and_options(run_cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = run_cli("--show-completion", "bash")
    assert shown.exit_code in (0, 1)
    monkeypatch.setenv("_SELFTAUGHT_COMPLETE", "complete_bash")
    for words, wanted in (("selftaught ro", "rollout"), ("selftaught rollout --tool-t", "--tool-timeout")):
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
        assert run_cli().stdout.split() == [wanted]
