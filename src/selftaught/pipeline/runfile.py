"""``run.json``: what made this run. Written at the start, extended at each attempt; a folder belongs to one digest."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

from pydantic import Field, ValidationError

from selftaught.errors import ConfigError
from selftaught.pipeline.recipe import Recipe
from selftaught.records import SCHEMA_VERSION, Record, utc_now
from selftaught.store import write_json

PACKAGES = (
    "torch",
    "transformers",
    "accelerate",
    "tokenizers",
    "pydantic",
    "numpy",
    "math-verify",
    "sympy",
    "trl",
    "deepspeed",
)


class RunInfo(Record):
    """The content of ``run.json``."""

    schema_version: int = SCHEMA_VERSION
    recipe: Recipe
    config_digest: str
    seeds: list[int]
    created_at: str = Field(default_factory=utc_now)
    attempts: list[str] = Field(default_factory=list)
    """UTC times at which the run was started or gone on with."""
    git_commit: str = ""
    git_dirty: bool | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    hardware: dict[str, str] = Field(default_factory=dict)
    models: dict[str, str] = Field(default_factory=dict)
    """Model → hash of its files."""
    data: dict[str, str] = Field(default_factory=dict)
    """Problem file → hash."""
    sandbox_tier: str = ""
    command: str = ""


def open_run(run: Path, recipe: Recipe, *, fresh: bool, command: str) -> RunInfo:
    """Make or reopen a run folder. ConfigError when it belongs to another recipe or holds something else."""
    path = run / "run.json"
    if fresh and run.exists():
        if not path.is_file() and any(run.iterdir()):
            raise ConfigError(f"{run} holds no run.json; refusing to delete it. Name another --out.")
        shutil.rmtree(run)
    info = read_run(run)
    if info is None:
        if run.exists() and not path.exists() and any(run.iterdir()):
            raise ConfigError(f"{run} is not empty and holds no run.json; name another --out.")
        info = RunInfo(
            recipe=recipe,
            config_digest=recipe.digest(),
            seeds=[recipe.seed],
            hardware=hardware(),
            models={recipe.base_model: _model_hash(recipe.base_model)},
            sandbox_tier=_sandbox_tier(),
        )
    elif info.config_digest != recipe.digest():
        raise ConfigError(
            f"{run} was made with other settings (digest {info.config_digest}, now {recipe.digest()}); "
            "use another --out, or --fresh to start over."
        )
    info.git_commit, info.git_dirty = git_state()
    info.versions = versions()
    info.command = command
    info.attempts.append(utc_now())
    write_run(run, info)
    return info


def read_run(run: Path) -> RunInfo | None:
    """``run.json`` of a folder, or None when there is none. ConfigError when it cannot be read."""
    path = run / "run.json"
    try:
        return RunInfo.model_validate_json(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValidationError, json.JSONDecodeError) as error:
        first = str(error).splitlines()[0]
        raise ConfigError(
            f"{path} cannot be read ({first}); another version wrote it, or it is torn. Use --fresh."
        ) from None


def write_run(run: Path, info: RunInfo) -> None:
    """Write ``run.json`` as a whole."""
    write_json(run / "run.json", info.model_dump(mode="json"))


def versions() -> dict[str, str]:
    """Package → version of what is installed, ``python`` and ours too."""
    import selftaught

    found = {"selftaught": selftaught.__version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, str]:
    """Processor, cores that we may use, memory, system."""
    cpu = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                cpu = line.partition(":")[2].strip()
                break
        memory = Path("/proc/meminfo").read_text().split()[1]
        memory = f"{int(memory) / 2**20:.1f} GiB"
    except (OSError, ValueError, IndexError):
        memory = ""
    return {"cpu": cpu, "cores": str(cores()), "memory": memory, "system": platform.platform()}


def cores() -> int:
    """CPU cores that this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def git_state() -> tuple[str, bool | None]:
    """Commit of the checkout that the package lies in and whether it has changes; empty outside one."""
    folder = Path(__file__).parent
    try:
        commit = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()
        status = subprocess.run(
            ["git", "-C", str(folder), "status", "--porcelain", "--untracked-files=no"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return "", None
    return commit, bool(status.strip())


def _model_hash(model: str) -> str:
    """Hash of a local model folder, or empty for one that is not here."""
    from selftaught.pipeline.sources import model_source
    from selftaught.tokens.folder import model_digest

    folder = Path(model_source(model))
    return model_digest(folder) if folder.is_dir() else ""


def _sandbox_tier() -> str:
    """Isolation tier that the sandbox reaches here; empty when it cannot tell."""
    from selftaught.pipeline.sandbox_tier import probe

    return probe()
