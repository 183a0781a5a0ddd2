"""What a rollout folder is: its record, its problems, its statistics.

A resumed run proves here that it is the same one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from selftaught.hints import load_library, split_name
from selftaught.provenance import DIGEST_CHARS, digest_of, digest_of_texts, made_here
from selftaught.records import Problem, utc_now
from selftaught.rollouts.opening import manner_before
from selftaught.rollouts.probe_settings import ProbeSettings
from selftaught.rollouts.problem_file import keep_problems
from selftaught.rollouts.progress import RolloutSummary
from selftaught.rollouts.settings import RolloutSettings
from selftaught.runs.folders import RolloutFolder
from selftaught.runs.record import HINT_LIBRARY, RunKind, RunRecord, claim, read_record
from selftaught.store import write_json
from selftaught.tokens.folder import is_url, model_digest, resolve_model

_SPREAD = ("workers", "sandbox_workers", "max_rows", "threads", "device")
MANNER = "way of asking"
"""An input of a rollout: how the model's folder says that it is asked."""


def claim_folder(
    folder: RolloutFolder,
    model: str,
    settings: RolloutSettings,
    problems: Sequence[Problem],
    problem_file: Path | None = None,
    probe: ProbeSettings | None = None,
) -> RunRecord:
    """Make ``folder`` that of this rollout, or prove that it is; keep the problems in it. The caller holds its lock.

    ``problem_file`` names the file that the problems lie in already. ConfigError names the first difference.
    """
    record = rollout_record(model, settings, problems)
    if probe is not None:
        record.settings |= {f"probe.{key}": value for key, value in probe.model_dump(mode="json").items()}
        record.digest = digest_of({"rollout": record.digest, "probe": probe.model_dump(mode="json")})
    defaults, is_begun = {**RolloutSettings().content(), "dtype": "float32"}, _is_begun(folder)
    if problem_file is not None:
        record.problems = Path(os.path.relpath(problem_file, folder.path)).as_posix()
        return claim(folder, record, is_begun=is_begun, defaults=defaults)
    record.problems = folder.problems.name
    folder.make()
    # An earlier attempt may have failed before its first trajectory. Its problems are then no reason to refuse others.
    were_tried = not is_begun and read_record(folder.path) is not None
    claimed = claim(folder, record, is_begun=is_begun, defaults=defaults)
    keep_problems(folder.problems, problems, folder.trajectories, may_change=were_tried)
    return claimed


def _is_begun(folder: RolloutFolder) -> bool:
    """Whether any trajectory was made."""
    return any(path.is_file() and path.stat().st_size > 0 for path in (folder.trajectories, folder.failures))


def rollout_record(model: str, settings: RolloutSettings, problems: Sequence[Problem]) -> RunRecord:
    """What a rollout of ``problems`` is about to do."""
    path, policy = split_name(str(settings.content()["hints"]))
    library = load_library(path)
    content: dict[str, Any] = json.loads(json.dumps(settings.content(), default=str))
    served = is_url(model)
    inputs = {HINT_LIBRARY: _digest(library.content(policy))}
    digest = None if served else model_digest(resolve_model(model))
    tokenizer = content.get("tokenizer") or (content.get("model_name") if served else model)
    return RunRecord(
        kind=RunKind.ROLLOUT,
        digest=digest_of({"settings": content, "model": digest, **inputs}),
        model=model,
        model_digest=digest,
        tokenizer=str(tokenizer or ""),
        condition=settings.condition,
        settings=content,
        spread=_spread(settings),
        inputs={**inputs, MANNER: _digest(manner_before(model, content.get("tokenizer")).model_dump_json())},
        num_problems=len(problems),
        problems_digest=digest_of_texts(text for problem in problems for text in (problem.id, problem.problem)),
        seeds=[int(content["seed"])],
        made_by=made_here(),
    )


def write_stats(folder: RolloutFolder, summary: RolloutSummary) -> None:
    """Add this attempt's summary to the rollout's statistics."""
    attempts: list[Any] = []
    if folder.stats.is_file():
        with contextlib.suppress(ValueError):
            attempts = json.loads(folder.stats.read_text("utf-8"))["attempts"]
    attempts.append({"at": utc_now(), **json.loads(summary.to_json())})
    write_json(folder.stats, {"attempts": attempts})


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_CHARS]


def _spread(settings: RolloutSettings) -> dict[str, Any]:
    """The settings that only spread the work, wherever the model keeps them."""
    flat: dict[str, Any] = {}
    for key, value in settings.model_dump(mode="json").items():
        flat |= value if isinstance(value, dict) else {key: value}
    return {key: flat.get(key) for key in _SPREAD}
