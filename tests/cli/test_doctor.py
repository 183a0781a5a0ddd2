"""``selftaught doctor``: the lines it prints, the JSON, and that a broken part is a line and not a traceback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from selftaught.cli import doctor
from selftaught.cli.doctor import Check

SECTIONS = ["machine", "devices", "sandbox", "engines", "versions"]


def test_json_has_every_section(run_cli: Any) -> None:
    result = run_cli("doctor", "--json", "--no-attack")
    value = json.loads(result.stdout)
    assert list(value) == ["ok", *SECTIONS]
    assert result.exit_code == (0 if value["ok"] else 3)
    for section in SECTIONS:
        for row in value[section]:
            assert row["mark"] in {"ok", "missing", "weak", "bad"}


def test_text_has_every_section(run_cli: Any) -> None:
    lines = run_cli("doctor", "--no-attack").stdout.splitlines()
    assert [line for line in lines if line and not line.startswith(" ")] == SECTIONS


def test_versions_are_those_installed(run_cli: Any) -> None:
    import numpy

    rows = json.loads(run_cli("doctor", "--json", "--no-attack").stdout)["versions"]
    assert {"name": "numpy", "mark": "ok", "detail": numpy.__version__} in rows


def test_a_check_that_breaks_is_a_bad_line(monkeypatch: pytest.MonkeyPatch, run_cli: Any) -> None:
    def broken() -> Iterator[Check]:
        raise RuntimeError("no /proc")
        yield

    monkeypatch.setattr(doctor, "devices", broken)
    result = run_cli("doctor", "--no-attack")
    assert result.exit_code == 3
    assert "bad      devices" in result.stdout
    assert "RuntimeError: no /proc" in result.stdout
    assert "versions" in result.stdout


def test_missing_extras_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise doctor.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(doctor.importlib.metadata, "version", absent)
    rows = {check.name: check for check in doctor.versions()}
    assert rows["trl"].mark == "missing"
    assert rows["trl"].detail == "pip install 'selftaught[train]'"
    assert rows["numpy"].mark == "bad"
