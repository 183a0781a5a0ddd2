"""Which tier is taken: the best there is, never a weaker one in silence, none at all rather than nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from selftaught.errors import SandboxError
from selftaught.sandbox import Sandbox, SandboxSettings, Tier, tiers
from selftaught.sandbox.zygote import TierUnavailable, Zygote

Settings = Callable[..., SandboxSettings]
HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """What one test finds out about tiers is not for the next."""
    tiers._tiers_that_failed.clear()
    yield
    tiers._tiers_that_failed.clear()


@pytest.fixture
def only_unsafe(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with no isolation."""
    start = Zygote.start.__func__  # type: ignore[attr-defined]

    async def refuse(settings: SandboxSettings, tier: Tier, group: object = None) -> Zygote:
        if tier is not Tier.UNSAFE:
            raise TierUnavailable(f"no tier {int(tier)} in this test")
        return await start(Zygote, settings, tier, group)

    monkeypatch.setattr(Zygote, "start", refuse)


@pytest.mark.usefixtures("only_unsafe")
async def test_no_isolation_is_refused(settings: Settings) -> None:
    with pytest.raises(SandboxError, match="no tier 1 in this test.*no tier 2 in this test.*--unsafe"):
        async with Sandbox(settings()):
            pass


@pytest.mark.usefixtures("only_unsafe")
async def test_unsafe_is_stamped(settings: Settings) -> None:
    async with Sandbox(settings(unsafe=True)) as sandbox:
        result = await sandbox.run("6 * 7")
        assert (result.output, result.tier) == ("42\n", Tier.UNSAFE)


async def test_unsafe_must_be_said_twice(settings: Settings) -> None:
    with pytest.raises(SandboxError, match="unsafe"):
        async with Sandbox(settings(tier=Tier.UNSAFE)):
            pass


async def test_a_weaker_tier_is_logged_and_can_be_forbidden(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    start = Zygote.start.__func__  # type: ignore[attr-defined]

    async def no_namespaces(settings: SandboxSettings, tier: Tier, group: object = None) -> Zygote:
        if tier is Tier.FULL:
            raise TierUnavailable("unshare: Operation not permitted")
        return await start(Zygote, settings, tier, group)

    monkeypatch.setattr(Zygote, "start", no_namespaces)
    async with Sandbox(settings()) as sandbox:
        assert (await sandbox.run("1")).tier is Tier.REDUCED
    assert "tier 1 is not to be had here (unshare" in caplog.text
    with pytest.raises(SandboxError, match="unshare"):
        async with Sandbox(settings(lowest_tier=Tier.FULL)):
            pass


async def test_a_sandbox_never_changes_its_tier(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Sandbox(settings()) as sandbox:
        tier = sandbox.tier
        wanted = []
        start = Zygote.start.__func__  # type: ignore[attr-defined]

        async def note(settings: SandboxSettings, tier: Tier, group: object = None) -> Zygote:
            wanted.append(tier)
            return await start(Zygote, settings, tier, group)

        monkeypatch.setattr(Zygote, "start", note)
        assert sandbox._pool.zygote is not None
        await sandbox._pool.zygote.stop()
        assert (await sandbox.run("1")).tier is tier
        assert wanted == [tier]


async def test_macos_is_refused_with_what_works_there(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(SandboxError, match="darwin.*Linux VM or container"):
        async with Sandbox(settings()):
            pass


def test_docker_gets_tier_2_by_itself() -> None:
    script = (
        "import asyncio, json\nfrom selftaught.sandbox import Sandbox, SandboxSettings\n"
        "async def main():\n    async with Sandbox(SandboxSettings(preload=())) as sandbox:\n"
        "        result = await sandbox.run('1+1')\n        print(json.dumps([int(result.tier), result.output]))\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, str(HERE / "surround.py"), "--docker", sys.executable, "-c", script]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1] / "src")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert json.loads(done.stdout) == [2, "2\n"], done.stderr


@pytest.mark.parametrize("tier", [Tier.FULL, Tier.REDUCED])
def test_the_self_attack_is_held(tier: Tier) -> None:
    from selftaught.sandbox.attack import sandbox_report

    report = sandbox_report(SandboxSettings(preload=(), workers=4, timeout_s=4.0, tier=tier))
    assert [finding for finding in report.findings if not finding.held] == []
    assert report.ok
    assert report.tier == tier
    assert len(report.findings) > 20


def test_the_self_attack_finds_a_sandbox_without_walls() -> None:
    from selftaught.sandbox.attack import sandbox_report

    report = sandbox_report(SandboxSettings(preload=(), workers=4, timeout_s=4.0, tier=Tier.UNSAFE, unsafe=True))
    assert not report.ok
    escaped = {finding.name for finding in report.findings if not finding.held}
    assert {"network: TCP to this machine", "files: read outside", "process: start a program"} <= escaped
