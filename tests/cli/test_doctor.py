"""``selftaught doctor``: the lines it prints, the JSON, and that a broken part is a line and not a traceback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from selftaught.cli import doctor
from selftaught.cli.doctor import Check

SECTIONS = ["machine", "devices", "sandbox", "engines", "versions"]


@pytest.fixture
def no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting a real sandbox takes seconds on a busy machine; once is enough, below."""

    def line(*, attack: bool) -> Iterator[Check]:
        yield Check("sandbox", "tier", "ok", "1 (full)", {"attack": attack})

    monkeypatch.setattr(doctor, "sandbox", line)


@pytest.mark.usefixtures("no_sandbox")
def test_json_has_every_section(run_cli: Any) -> None:
    result = run_cli("doctor", "--json", "--no-attack")
    value = json.loads(result.stdout)
    assert list(value) == ["ok", *SECTIONS]
    assert result.exit_code == (0 if value["ok"] else 3)
    for section in SECTIONS:
        for row in value[section]:
            assert row["mark"] in {"ok", "missing", "weak", "bad"}


@pytest.mark.usefixtures("no_sandbox")
def test_text_has_every_section(run_cli: Any) -> None:
    lines = run_cli("doctor", "--no-attack").stdout.splitlines()
    assert [line for line in lines if line and not line.startswith(" ")] == SECTIONS


@pytest.mark.usefixtures("no_sandbox")
def test_versions_are_those_installed(run_cli: Any) -> None:
    import numpy

    rows = json.loads(run_cli("doctor", "--json", "--no-attack").stdout)["versions"]
    assert {"name": "numpy", "mark": "ok", "detail": numpy.__version__} in rows


@pytest.mark.usefixtures("no_sandbox")
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


def report_of(tier: int, held: bool, cgroup: bool = True) -> Any:
    from selftaught.sandbox.attack import Finding, SandboxReport

    findings = [Finding(name="network", held=True, detail="ok"), Finding(name="files", held=held, detail="escaped: x")]
    return SandboxReport(
        tier=tier,
        layers=["seccomp allow-list"],
        memory="a group" if cgroup else "no cgroup",
        cgroup=cgroup,
        modules=["numpy"],
        missing=["networkx"],
        uid=65534,
        landlock_abi=4,
        start_s=0.1,
        findings=findings,
    )


@pytest.mark.parametrize(
    ("tier", "held", "tier_mark", "attack_mark"),
    [(1, True, "ok", "ok"), (2, True, "weak", "ok"), (1, False, "ok", "bad"), (0, True, "bad", "ok")],
)
def test_sandbox_lines_follow_the_report(
    monkeypatch: pytest.MonkeyPatch, tier: int, held: bool, tier_mark: str, attack_mark: str
) -> None:
    monkeypatch.setattr("selftaught.sandbox.attack.sandbox_report", lambda attack: report_of(tier, held))
    checks = list(doctor.sandbox(attack=True))
    marks = [(check.name, check.mark) for check in checks]
    assert ("tier", tier_mark) in marks
    assert ("attack", attack_mark) in marks
    assert ("modules", "weak") in marks
    assert any("files: escaped" in check.detail for check in checks) is not held


@pytest.mark.parametrize("cgroup", [True, False])
def test_the_memory_wall_is_named(monkeypatch: pytest.MonkeyPatch, cgroup: bool) -> None:
    monkeypatch.setattr("selftaught.sandbox.attack.sandbox_report", lambda attack: report_of(1, True, cgroup))
    (line,) = [check for check in doctor.sandbox(attack=True) if check.name == "memory"]
    assert (line.mark, line.detail) == (("ok", "a group") if cgroup else ("weak", "no cgroup"))


def test_the_self_attack_holds_here(run_cli: Any) -> None:
    """The real one: on a machine that can isolate at all, every attack bounces off."""
    result = run_cli("doctor", "--json")
    rows = json.loads(result.stdout)["sandbox"]
    if len(rows) == 1 and rows[0]["mark"] == "bad":
        pytest.skip(f"no isolation on this machine: {rows[0]['detail']}")
    attacks = [row for row in rows if row["name"] == "attack"]
    assert [row["mark"] for row in attacks] == ["ok"], attacks
