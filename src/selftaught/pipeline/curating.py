"""Curate what a folder holds: its rollouts, their problems and the model's tokenizer are found in the folder itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selftaught.curation.inputs import Curated, what_to_curate
from selftaught.curation.records import CurateSettings, Funnel, Rule
from selftaught.curation.run import curate
from selftaught.curation.settings import read_settings
from selftaught.errors import SelftaughtError
from selftaught.problems import ProblemQuery, load_file
from selftaught.progress import Reporter, counted, silent
from selftaught.runs.folders import DataFolder
from selftaught.runs.found import tokenizer_of
from selftaught.runs.names import FILES
from selftaught.store import iter_lines, parse_object
from selftaught.tokens import Codec, tokenizer_folder


@dataclass(frozen=True)
class CuratedFolder:
    """A data set that was made."""

    path: Path
    funnel: Funnel
    tokenizer: str
    """The model whose tokenizer was used; empty when it is not on this machine."""


def data_folder(run: Path, out: Path | None) -> Path:
    """Where the data set lies or will lie: ``out``, ``run`` itself when it is one, else a folder inside it."""
    return out or (run if DataFolder(run).kept.exists() else run / FILES.curated)


def curate_settings(
    rule: str, tool_share: float, seed: int, max_kept: int | None, allow_text_only: bool, overrides: list[str]
) -> CurateSettings:
    """Settings from the usual options, then ``key=value`` overrides. ConfigError names the key that is wrong."""
    given: dict[str, Any] = {"dataset": rule, "rule": rule, "tool_share": tool_share, "seed": seed}
    if max_kept is not None:
        given["max_rows"] = {"all": max_kept}
    if allow_text_only:
        given["filters"] = {"allow_text_only": True}
    return read_settings(given, overrides)


def curate_folder(
    run: Path,
    out: Path | None,
    settings: CurateSettings,
    *,
    problems: ProblemQuery | None = None,
    greedy: Path | None = None,
    model: str | None = None,
    contaminated: Path | None = None,
    edits: Path | None = None,
    progress: Reporter = silent,
    tell: Callable[[str], None] = lambda _line: None,
) -> CuratedFolder:
    """Curate the rollouts of ``run``; ``tell`` gets a line on what the rule lacks. Raises what `curate` raises."""
    place = data_folder(run, out)
    chosen = what_to_curate(run, greedy)
    if settings.rule is Rule.D_START and chosen.greedy is None:
        tell(
            "rule d_start, the best of the right ones: no greedy rollout is known. `selftaught rollout … --no-tools` makes one; "
            "--greedy FOLDER --rule d_seed keeps what only the hint solves."
        )
    known = {problem.id: problem for problem in problems.load()} if problems is not None else {}
    for file in chosen.problem_files() if problems is None else ():
        known |= {problem.id: problem for problem in load_file(file)}
    codec, used = _codec(chosen, model)
    record = chosen.record(place).model_copy(update={"tokenizer": used})
    funnel = curate(
        chosen.inputs(mixes_text=settings.mixes_text),
        known.values(),
        place,
        settings,
        codec=codec,
        contaminated=_banned(contaminated),
        edits=edits,
        made=record,
        progress=counted(progress, "curating"),
    )
    return CuratedFolder(place, funnel, used)


def _codec(chosen: Curated, model: str | None) -> tuple[Codec | None, str]:
    """The tokenizer that encodes changed text, and whose it is; none when the rollout's own is not here."""
    if model is not None:
        return Codec(tokenizer_folder(model)), model
    try:
        used = tokenizer_of(chosen.rollouts[0])
        return Codec(tokenizer_folder(used)), used
    except SelftaughtError:
        return None, ""


def _banned(contaminated: Path | None) -> frozenset[str]:
    """Ids of the problems whose trajectories are dropped."""
    if contaminated is None:
        return frozenset()
    lines = iter_lines(contaminated)
    return frozenset(str(parse_object(line, f"{contaminated}:{number}", "id")["id"]) for number, line in lines)
