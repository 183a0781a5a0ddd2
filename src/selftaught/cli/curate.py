"""``selftaught curate RUN``: score, filter, modify and select trajectories; explain, edit and export what came out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selftaught.cli.problem_options import DropOption, MapOption, query_of

if TYPE_CHECKING:
    from selftaught.curation.records import Funnel
    from selftaught.problems import ProblemQuery


Run = Annotated[
    Path, typer.Argument(help="Folder of a graded rollout, of an evaluation, or of a run of `selftaught run`.")
]
ProblemFile = Annotated[
    str | None, typer.Option(help="The problems that were rolled out. Default: those that the folder keeps.")
]
RuleName = Annotated[
    str,
    typer.Option(
        help="d_start (best of the right ones) or d_seed (greedy wrong and hinted right; wants a greedy rollout)."
    ),
]
Greedy = Annotated[
    Path | None, typer.Option(help="Greedy rollout to compare with; in a run of `selftaught run` its own is found.")
]
Model = Annotated[
    str | None, typer.Option(help="Model whose tokenizer encodes changed text. Default: the rollout's own.")
]
ToolShare = Annotated[
    float, typer.Option(min=0.01, max=1.0, help="Share of rows that call Python; the rest are text-only.")
]
AllowTextOnly = Annotated[
    bool,
    typer.Option("--allow-text-only", help="Keep text without token ids, encoded with the tokenizer of --model."),
]
MaxKept = Annotated[int | None, typer.Option(min=1, help="At most this many rows in the data set.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", help="Any other setting: filters.failed_execution=any.")]
Contaminated = Annotated[
    Path | None,
    typer.Option(help="removed.jsonl of `selftaught decontaminate`: trajectories of its problems are dropped."),
]
Explain = Annotated[str | None, typer.Option(help="Say what became of this trajectory or problem, and stop.")]
Editable = Annotated[Path | None, typer.Option(help="Write kept texts to this file for editing by hand, and stop.")]
ExportTo = Annotated[
    str | None,
    typer.Option(help="Write exports of what is kept, and stop: parquet,trl,sharegpt,axolotl,llamafactory or all."),
]


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command(name="curate")
    def curate(
        run: Run,
        problems: ProblemFile = None,
        mapping: MapOption = None,
        drop: DropOption = None,
        rule: RuleName = "d_start",
        greedy: Greedy = None,
        model: Model = None,
        out: Annotated[Path | None, typer.Option(help="Default: RUN/curated.")] = None,
        tool_share: ToolShare = 1.0,
        allow_text_only: AllowTextOnly = False,
        max_kept: MaxKept = None,
        seed: Annotated[int, typer.Option(help="Breaks ties and orders the rows.")] = 0,
        set_: Overrides = None,
        contaminated: Contaminated = None,
        edits: Annotated[Path | None, typer.Option(help="Edited texts that come back (see --editable).")] = None,
        explain: Explain = None,
        editable: Editable = None,
        export: ExportTo = None,
        loss: Annotated[str, typer.Option(help="Loss policy of exports: hints, model_only, all_but_prompt.")] = "hints",
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    ) -> None:
        """Make a data set out of graded trajectories: kept.jsonl, dropped.jsonl and funnel.json.

        Every trajectory lands in kept or dropped, with a reason. --explain ID shows it, with a diff of what was changed.
        """
        from selftaught.pipeline.curating import curate_folder, curate_settings, data_folder
        from selftaught.progress.bars import bars

        if explain is not None:
            _explain(run, explain, as_json)
            return
        place = data_folder(run, out)
        if editable is not None:
            _editable(place, editable)
            return
        query = query_of(problems, mapping, drop)
        if export is not None:
            _export(place, query, export, loss, model)
            return
        settings = curate_settings(rule, tool_share, seed, max_kept, allow_text_only, set_ or [])
        with bars() as show:
            made = curate_folder(
                run,
                out,
                settings,
                problems=query,
                greedy=greedy,
                model=model,
                contaminated=contaminated,
                edits=edits,
                progress=show,
                tell=lambda line: print(line, file=sys.stderr),
            )
        if as_json:
            print(json.dumps(made.funnel.model_dump(mode="json")))
        else:
            _show(made.funnel, place, made.tokenizer)


def _show(funnel: Funnel, place: Path, model: str) -> None:
    """Counts on stdout; where it lies and what comes next on stderr."""
    from selftaught.cli.next_step import say_next
    from selftaught.runs.folders import DataFolder

    of = f"{funnel.num_in} trajectories of {funnel.num_problems} problems"
    print(f"{funnel.num_kept} kept of {of} ({funnel.num_kept_text_only} text-only).")
    for step in funnel.steps:
        if step.num_dropped:
            print(f"  {step.step:<20} {step.num_in:>8} → {step.num_out:<8} −{step.num_dropped}")
    data = DataFolder(place)
    print(f"In {place}: {data.kept.name}, {data.dropped.name}, {data.funnel.name}", file=sys.stderr)
    if funnel.num_kept and model:
        say_next("train", place, "--model", model, "--out", place / "model")


def _explain(run: Path, wanted: str, as_json: bool) -> None:
    """Print the verdicts on one trajectory or problem; DataError when nobody knows it."""
    from selftaught.curation.explain import curated_folders, explain
    from selftaught.errors import DataError

    verdicts = list(explain(curated_folders(run), wanted))
    if not verdicts:
        raise DataError(f"{wanted!r} is in no data set below {run}; expected a trajectory id or a problem id.")
    if as_json:
        print(json.dumps([verdict.model_dump(mode="json", exclude_none=True) for verdict in verdicts]))
        return
    for v in verdicts:
        what = "kept" if v.kept else f"dropped at {v.step}: {v.reason}"
        print(f"{v.dataset}: {v.trajectory_id} (from {v.source}) {what}\n  {v.why}")
        for change in v.modifications:
            print(f"  changed by {change.rule}: {change.reason}")
        for line in v.diff:
            print(f"    {line}")


def _must_hold_rows(place: Path) -> None:
    """DataError, before anything is written, when no data set lies there."""
    from selftaught.errors import DataError
    from selftaught.runs.folders import DataFolder

    if not DataFolder(place).kept.is_file():
        raise DataError(f"{place} holds no data set (kept.jsonl); make one with `selftaught curate RUN` first.")


def _editable(place: Path, path: Path) -> None:
    from selftaught.curation.edits import write_editable
    from selftaught.curation.records import KeptRow
    from selftaught.errors import ConfigError
    from selftaught.runs.folders import DataFolder
    from selftaught.store import read_jsonl

    _must_hold_rows(place)
    if path.is_dir():
        raise ConfigError(f"--editable {path} is a folder; expected a file to write.")
    count = write_editable(read_jsonl(DataFolder(place).kept, KeptRow), path)
    print(
        f"{count} trajectories in {path}. Change texts of model and hint spans; delete the lines that you leave alone."
    )
    print("Curate again with --edits to bring them back.")


def _export(place: Path, problems: ProblemQuery | None, formats: str, loss: str, model: str | None) -> None:
    from selftaught.errors import ConfigError
    from selftaught.manner import Manner
    from selftaught.problems import load_file, render_question
    from selftaught.rollouts.opening import manner_before
    from selftaught.runs.folders import DataFolder
    from selftaught.runs.found import problem_file_near, recipe_run_of
    from selftaught.runs.record import peek_record
    from selftaught.training.exports import FORMATS, Export, export
    from selftaught.training.render import POLICIES

    if loss not in POLICIES:
        raise ConfigError(f"--loss is {loss!r}; expected one of {', '.join(POLICIES)}.")
    _must_hold_rows(place)
    names = _available(FORMATS) if formats == "all" else [name for name in formats.split(",") if name]
    data, record, run = DataFolder(place), peek_record(place), recipe_run_of(place)
    kept = record.problem_file(place) if record is not None else None
    file = kept or problem_file_near(place)
    asked = problems.load() if problems is not None else load_file(file) if file else []
    if record is None and run is not None:  # a data set that an older version made
        record = peek_record(run.path)
    used = model or (record.tokenizer if record is not None else "")
    manner = manner_before(used) if used else Manner()
    questions = {p.id: render_question(p, manner) for p in asked}
    job = Export(data.kept, data.export, POLICIES[loss], questions)
    for path in export(names, job, funnel=data.funnel, model=used):
        print(path)


def _available(formats: Iterable[str]) -> list[str]:
    """All formats but those whose package is not installed; says which are left out."""
    from importlib.util import find_spec

    if find_spec("pyarrow") is not None:
        return list(formats)
    print("left out: parquet, which needs pyarrow; pip install 'selftaught[hub]'.", file=sys.stderr)
    return [name for name in formats if name != "parquet"]
