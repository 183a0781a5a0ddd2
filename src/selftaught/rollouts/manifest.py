"""``run.json`` of a rollout folder: what was run, so that a resumed run can prove that it is the same one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from selftaught import __version__
from selftaught.errors import ConfigError
from selftaught.hints import load_library, split_name
from selftaught.records import Problem, utc_now
from selftaught.rollouts.progress import RolloutSummary
from selftaught.rollouts.settings import RolloutSettings
from selftaught.store import write_json
from selftaught.tokens.folder import is_url, model_digest, resolve_model

RUN_FILE = "run.json"
STATS_FILE = "rollout.json"


def open_run(out: Path, model: str, settings: RolloutSettings, problems: Sequence[Problem]) -> dict[str, Any]:
    """Write ``run.json``, or check that the one there is of the same run. ConfigError names the first difference."""
    path, policy = split_name(settings.hints.policy)
    library = load_library(path)
    same = {
        "model_digest": None if is_url(model) else model_digest(resolve_model(model)),
        "hints_digest": hashlib.sha256(library.content(policy).encode()).hexdigest()[:16],
        **{f"settings.{name}": value for name, value in settings.content().items()},
    }
    digest = hashlib.sha256(json.dumps(same, sort_keys=True, default=str).encode()).hexdigest()[:16]
    file = out / RUN_FILE
    if file.is_file():
        _compare(json.loads(file.read_text("utf-8")), same, file)
        return same
    hashed = hashlib.sha256()
    for problem in problems:
        hashed.update(f"{problem.id}\x00{problem.problem}\x00".encode())
    record = {
        "kind": "rollout",
        "digest": digest,
        "created_at": utc_now(),
        "model": model,
        "num_problems": len(problems),
        "problems_digest": hashed.hexdigest()[:16],
        "configuration": same,
        "spread": {
            **settings.spread.model_dump(mode="json"),
            **settings.engine.model_dump(mode="json", include={"threads", "device"}),
        },
        "versions": _versions(),
        "hardware": {"machine": platform.machine(), "num_cpus": os.cpu_count(), "system": platform.platform()},
        "git_commit": _git_commit(),
        "command": " ".join(sys.argv),
    }
    write_json(file, json.loads(json.dumps(record, default=str)))
    return same


def write_stats(out: Path, summary: RolloutSummary) -> None:
    """Add this attempt's summary to ``rollout.json``."""
    file = out / STATS_FILE
    attempts: list[Any] = []
    if file.is_file():
        with contextlib.suppress(ValueError):
            attempts = json.loads(file.read_text("utf-8"))["attempts"]
    attempts.append({"at": utc_now(), **json.loads(summary.to_json())})
    write_json(file, {"attempts": attempts})


def _compare(record: dict[str, Any], same: dict[str, Any], file: Path) -> None:
    there = record.get("configuration", {})
    now = json.loads(json.dumps(same, default=str))
    for name in {**there, **now}:
        if there.get(name) != now.get(name):
            raise ConfigError(
                f"{file.parent} holds a rollout whose {name} is {there.get(name)!r}; this one has {now.get(name)!r}. "
                "Use another folder."
            )


def _versions() -> dict[str, str | None]:
    versions: dict[str, str | None] = {"selftaught": __version__, "python": platform.python_version()}
    for name in ("torch", "tokenizers", "numpy"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    return versions


def _git_commit() -> str | None:
    try:
        found = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None if found.returncode == 0 else None
