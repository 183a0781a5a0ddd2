"""Training settings from files and flags, and the entry point of training processes: ``python -m selftaught.training.launch``.

A launcher (torchrun, accelerate) starts it in every process with the path of a job file; in the pipeline that file is written
by the train stage when the recipe names a ``launch.command``.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from selftaught.complaints import complaint
from selftaught.errors import ConfigError, IncompleteError
from selftaught.overrides import apply_overrides, read_mapping
from selftaught.parent import die_with_parent
from selftaught.records import Record
from selftaught.runs.folders import ModelFolder
from selftaught.store import write_json
from selftaught.training.machines import Cluster, on_host
from selftaught.training.settings import SftSettings, TrainingSummary, read_summary

_STOP_WAIT_S = 20.0
"""Time that launchers get to end their processes when one of them has failed."""


class TrainingJob(Record):
    """What a training process is to do."""

    kept: str
    base_model: str
    out: str
    settings: SftSettings


def read_settings(config: Path | None, part: str | None, given: dict[str, Any], overrides: list[str]) -> SftSettings:
    """Settings from a YAML file (or one part of a recipe), then flags, then ``a.b=value`` overrides.

    ConfigError names the key that is wrong and the nearest known one.
    """
    content: dict[str, Any] = {}
    if config is not None:
        content = read_mapping(config, "training settings, or a recipe with --round")
        if part is not None:
            round_ = content.get(part)
            content = (round_.get("train") if isinstance(round_, dict) else None) or {}
            if not isinstance(content, dict) or not content:
                raise ConfigError(f"{config} has no {part}.train; expected a recipe with one.")
    content |= given
    apply_overrides(content, overrides)
    try:
        return SftSettings.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"training setting {complaint(error, SftSettings.model_fields)}") from None


def launch(
    command: str, environment: dict[str, str], job: TrainingJob, cluster: Cluster | None = None
) -> TrainingSummary:
    """Run ``job`` under a launcher (``torchrun --nproc-per-node 8``, ``accelerate launch …``) and wait for it.

    A command with ``{rank}`` in it is started once on each host of ``cluster``, with ``{rank}``, ``{num_hosts}`` and
    ``{first_host}`` filled in. IncompleteError when a launcher fails; its output is in our stderr.
    """
    cluster = cluster or Cluster()
    folder = ModelFolder(Path(job.out).resolve())
    folder.make()
    write_json(folder.job, job.model_dump(mode="json"))
    hosts = (cluster.hosts if "{rank}" in command else []) or ["localhost"]
    commands = []
    for rank, host in enumerate(hosts):
        filled = command
        for name, value in (("rank", str(rank)), ("num_hosts", str(len(hosts))), ("first_host", hosts[0])):
            filled = filled.replace("{" + name + "}", value)
        words = [*shlex.split(filled), "-m", "selftaught.training.launch", str(folder.job)]
        commands.append(on_host(cluster, host, words, environment))
    code, failed = _run_together(commands)
    if code or not folder.summary.exists():
        raise IncompleteError(f"training ended with exit code {code}: {shlex.join(failed)}")
    return read_summary(folder)


def _run_together(commands: list[list[str]]) -> tuple[int, list[str]]:
    """Run all until they end; the first exit code other than 0 with its command ends the others. (0, the first) when all went well."""
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for words in commands:
            try:
                processes.append(
                    subprocess.Popen(
                        words, stdout=sys.stderr.fileno(), stdin=subprocess.DEVNULL, preexec_fn=die_with_parent
                    )
                )
            except OSError as error:
                raise ConfigError(
                    f"launch.command: {words[0]!r} cannot be started ({error.strerror}); install it, or name its path."
                ) from None
        while True:
            codes = [process.poll() for process in processes]
            for code, words in zip(codes, commands, strict=True):
                if code:
                    return code, words
            if all(code == 0 for code in codes):
                return 0, commands[0]
            time.sleep(0.2)
    finally:
        for process in processes:
            if process.poll() is None:
                process.terminate()
        for process in processes:
            try:
                process.wait(_STOP_WAIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def main(arguments: list[str]) -> int:
    """One training process of a launched job."""
    from selftaught.training.render import load_rows
    from selftaught.training.sft import train_sft

    if len(arguments) != 1:
        print("usage: python -m selftaught.training.launch JOB.json", file=sys.stderr)
        return 2
    die_with_parent()  # a launcher that is killed leaves no process behind that trains on into the same folder
    job = TrainingJob.model_validate_json(Path(arguments[0]).read_text("utf-8"))
    rows = load_rows(Path(job.kept), job.settings.loss, job.settings.max_length)
    try:
        train_sft(rows, job.base_model, Path(job.out), job.settings)
    except ConfigError as error:
        print(f"selftaught: error: {error}", file=sys.stderr, flush=True)
        return error.exit_code
    finally:
        import torch.distributed

        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
