"""``selftaught doctor``: what this machine can do, and what is missing, before anybody waits for it.

Every line is a check with one of four marks: ``ok``, ``missing`` (an optional part, with the command that brings it),
``weak`` (works, but not as well as it could) and ``bad`` (a verb that needs it will fail). Exit 0 unless something is
bad; then 3.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import typer

from selftaught.errors import SelftaughtError
from selftaught.heap import memory_of_machine
from selftaught.provenance import cores, version_of
from selftaught.version import __version__

Mark = Literal["ok", "missing", "weak", "bad"]

PACKAGES: tuple[tuple[str, str], ...] = (
    ("torch", "local"),
    ("transformers", "local"),
    ("tokenizers", ""),
    ("math-verify", ""),
    ("sympy", ""),
    ("numpy", ""),
    ("scipy", ""),
    ("pydantic", ""),
    ("typer", ""),
    ("trl", "train"),
    ("accelerate", "local"),
    ("datasets", "train"),
    ("peft", "train"),
    ("huggingface-hub", "hub"),
    ("pyarrow", "hub"),
    ("inspect-ai", "inspect"),
    ("ray", "ray"),
    ("fastapi", "serve"),
    ("uvicorn", "serve"),
    ("prometheus-client", "serve"),
    ("opentelemetry-sdk", "otel"),
)
"""Distribution, and the extra that brings it ("" = always installed)."""

MIN_FREE_BYTES = 2 << 30
"""Room that a demo run and its checkpoints want on disk."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report. ``data`` is what ``--json`` adds."""

    section: str
    name: str
    mark: Mark
    detail: str
    data: dict[str, Any] | None = None


def register(app: typer.Typer) -> None:
    """Add ``doctor`` to ``app``."""

    @app.command(rich_help_panel="Look around")
    def doctor(
        as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
        attack: bool = typer.Option(True, help="Run the sandbox's self-attack (some seconds)."),
    ) -> None:
        """Isolation tier with a self-attack, engines, devices, versions.

        Examples: selftaught doctor · selftaught doctor --json · selftaught doctor --no-attack
        """
        checks = list(examine(attack=attack))
        if as_json:
            print(json.dumps(to_json(checks), indent=2, ensure_ascii=False))
        else:
            print(to_text(checks))
        if any(check.mark == "bad" for check in checks):
            raise typer.Exit(3)


def examine(*, attack: bool) -> Iterator[Check]:
    """All checks, in the order of the report. One that breaks is a ``bad`` line, never a traceback."""
    parts: tuple[tuple[str, Callable[[], Iterator[Check]]], ...] = (
        ("machine", machine),
        ("devices", devices),
        ("sandbox", lambda: sandbox(attack=attack)),
        ("engines", engines),
        ("versions", versions),
    )
    for section, part in parts:
        try:
            yield from part()
        except SelftaughtError as error:
            yield Check(section, section, "bad", str(error))
        except Exception as error:
            yield Check(section, section, "bad", f"the check itself failed: {type(error).__name__}: {error}")


def machine() -> Iterator[Check]:
    """Python, processors, memory, room on disk."""
    yield Check("machine", "selftaught", "ok", __version__)
    yield Check("machine", "python", "ok", f"{platform.python_version()} at {sys.executable}")
    yield Check("machine", "system", "ok", f"{platform.system()} {platform.release()} {platform.machine()}")
    num_cores = cores()
    yield Check("machine", "cores", "ok", str(num_cores), {"num_cores": num_cores})
    memory_bytes = memory_of_machine()
    if memory_bytes is not None:
        mark: Mark = "ok" if memory_bytes >= 4 << 30 else "weak"
        yield Check("machine", "memory", mark, f"{memory_bytes / 2**30:.1f} GiB", {"memory_bytes": memory_bytes})
    free_bytes = shutil.disk_usage(Path.cwd()).free
    mark = "ok" if free_bytes >= MIN_FREE_BYTES else "weak"
    yield Check("machine", "disk", mark, f"{free_bytes / 2**30:.1f} GiB free here", {"free_bytes": free_bytes})
    threads = os.environ.get("OMP_NUM_THREADS", "")
    yield Check("machine", "threads", "ok", f"OMP_NUM_THREADS={threads or 'unset'}; engines take one thread a process")


def devices() -> Iterator[Check]:
    """What torch can compute on."""
    if importlib.util.find_spec("torch") is None:
        yield Check("devices", "torch", "missing", "pip install 'selftaught[local]' for local models and training")
        return
    import torch

    from selftaught.processor import describe_cpu

    yield Check("devices", "cpu", "ok", f"torch {torch.__version__}")
    yield Check("devices", "dtype auto", "ok", f"bfloat16 models run in {describe_cpu()}")
    if not torch.cuda.is_available():
        yield Check("devices", "cuda", "missing", "no CUDA device; the embedded reasoner needs none")
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        properties = torch.cuda.get_device_properties(index)
        detail = f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"
        yield Check("devices", f"cuda:{index}", "ok", detail)


def sandbox(*, attack: bool) -> Iterator[Check]:
    """The isolation tier, its layers, the libraries at hand, and every attack that did not bounce off."""
    from selftaught.sandbox.attack import sandbox_report
    from selftaught.sandbox.settings import Tier

    started = time.monotonic()
    report = sandbox_report(attack=attack)
    seconds = time.monotonic() - started
    tier = Tier(report.tier)
    marks: dict[Tier, Mark] = {Tier.FULL: "ok", Tier.REDUCED: "weak", Tier.UNSAFE: "bad"}
    yield Check("sandbox", "tier", marks[tier], f"{report.tier} ({tier.name.lower()})", report.model_dump(mode="json"))
    for layer in report.layers:
        yield Check("sandbox", "layer", "ok", layer)
    yield Check("sandbox", "memory", "ok" if report.cgroup else "weak", report.memory)
    yield Check("sandbox", "modules", "ok", ", ".join(report.modules))
    if report.missing:
        yield Check("sandbox", "modules", "weak", f"not importable by model code: {', '.join(report.missing)}")
    if not attack:
        yield Check("sandbox", "attack", "missing", "not run; leave --no-attack out")
        return
    held = sum(finding.held for finding in report.findings)
    mark: Mark = "ok" if held == len(report.findings) else "bad"
    yield Check("sandbox", "attack", mark, f"{held} of {len(report.findings)} attacks held, {seconds:.1f} s")
    for finding in report.findings:
        if not finding.held:
            yield Check("sandbox", "attack", "bad", f"{finding.name}: {finding.detail}")


def engines() -> Iterator[Check]:
    """Which of the engines can be used, and the embedded reasoner's files."""
    local = all(importlib.util.find_spec(name) for name in ("torch", "transformers"))
    detail = "model folders, hub ids, toy" if local else "pip install 'selftaught[local]'"
    yield Check("engines", "local", "ok" if local else "missing", detail)
    yield Check("engines", "http", "ok", "vLLM, SGLang and others: --model http://HOST:PORT/v1 --model-name NAME")
    if importlib.util.find_spec("selftaught.toy") is None:
        return
    from selftaught import toy

    folder: Path = toy.model_path()
    weights = folder / "model.safetensors"
    if weights.is_file():
        yield Check("engines", "toy", "ok", f"{weights.stat().st_size / 1e6:.1f} MB in {folder}")
    else:
        yield Check("engines", "toy", "bad", f"no weights in {folder}; reinstall, or `selftaught toy pretrain`")


def versions() -> Iterator[Check]:
    """Installed versions of what the results depend on."""
    for name, extra in PACKAGES:
        version = version_of(name)
        if version is not None:
            yield Check("versions", name, "ok", version)
        else:
            bring = f"pip install 'selftaught[{extra}]'" if extra else "run `make install`"
            yield Check("versions", name, "missing" if extra else "bad", bring)


def to_json(checks: list[Check]) -> dict[str, Any]:
    """One document: ``ok``, and the checks by section."""
    sections: dict[str, list[dict[str, Any]]] = {}
    for check in checks:
        row = {key: value for key, value in asdict(check).items() if key != "section" and value is not None}
        sections.setdefault(check.section, []).append(row)
    return {"ok": all(check.mark != "bad" for check in checks), **sections}


def to_text(checks: list[Check]) -> str:
    """The report as plain text, sections apart."""
    width = max(len(check.name) for check in checks)
    lines: list[str] = []
    section = ""
    for check in checks:
        if check.section != section:
            section = check.section
            lines += ["", section] if lines else [section]
        lines.append(f"  {check.mark:<7}  {check.name:<{width}}  {check.detail}")
    return "\n".join(lines)
