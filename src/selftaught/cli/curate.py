"""``selftaught curate RUN``: score, filter, modify and select trajectories; explain, edit and export what came out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command(name="curate")
    def curate(
        run: Annotated[
            Path, typer.Argument(help="Folder with trajectories.jsonl and grades.jsonl, or a run of `selftaught run`.")
        ],
        problems: Annotated[Path | None, typer.Option(help="The problems that were rolled out.")] = None,
        rule: Annotated[
            str, typer.Option(help="d_seed (greedy wrong and hinted right) or d_start (best of the right ones).")
        ] = "d_start",
        greedy: Annotated[Path | None, typer.Option(help="Greedy rollouts to compare with; d_seed needs them.")] = None,
        model: Annotated[str | None, typer.Option(help="Model whose tokenizer encodes changed text.")] = None,
        out: Annotated[Path | None, typer.Option(help="Default: RUN/curated.")] = None,
        tool_share: Annotated[
            float, typer.Option(min=0.01, max=1.0, help="Share of rows that call Python; the rest are text-only.")
        ] = 1.0,
        allow_text_only: Annotated[
            bool,
            typer.Option(
                "--allow-text-only", help="Keep text without token ids, encoded with the tokenizer of --model."
            ),
        ] = False,
        max_rows: Annotated[int | None, typer.Option(min=1, help="At most this many rows.")] = None,
        seed: Annotated[int, typer.Option(help="Breaks ties and orders the rows.")] = 0,
        set_: Annotated[
            list[str] | None, typer.Option("--set", help="Any other setting: filters.failed_execution=any.")
        ] = None,
        contaminated: Annotated[
            Path | None,
            typer.Option(help="removed.jsonl of `selftaught decontaminate`: trajectories of its problems are dropped."),
        ] = None,
        edits: Annotated[Path | None, typer.Option(help="Edited texts that come back (see --editable).")] = None,
        explain: Annotated[
            str | None, typer.Option(help="Say what became of this trajectory or problem, and stop.")
        ] = None,
        editable: Annotated[
            Path | None, typer.Option(help="Write kept texts to this file for editing by hand, and stop.")
        ] = None,
        export: Annotated[
            str | None,
            typer.Option(
                help="Write exports of what is kept, and stop: parquet,trl,sharegpt,axolotl,llamafactory or all."
            ),
        ] = None,
        loss: Annotated[str, typer.Option(help="Loss policy of exports: hints, model_only, all_but_prompt.")] = "hints",
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    ) -> None:
        """Make a data set out of graded trajectories: kept.jsonl, dropped.jsonl and funnel.json.

        Every trajectory lands in kept or dropped, with a reason. --explain ID shows it, with a diff of what was changed.
        """
        from selftaught.errors import ConfigError

        if explain is not None:
            _explain(run, explain, as_json)
            return
        place = out or (run if (run / "kept.jsonl").exists() else run / "curated")
        if editable is not None:
            _editable(place, editable)
            return
        problem_file = problems or _problem_file(run)
        if export is not None:
            _export(place, problem_file, export, loss, model)
            return
        if problem_file is None:
            raise ConfigError("--problems is missing; name the file that was rolled out.")
        from selftaught.curation import CurateInput
        from selftaught.curation import curate as run_curation
        from selftaught.curation.settings import read_settings
        from selftaught.problems import load_problems
        from selftaught.tokens import Codec, tokenizer_folder

        given: dict[str, Any] = {"dataset": rule, "rule": rule, "tool_share": tool_share, "seed": seed}
        if max_rows is not None:
            given["max_rows"] = {"all": max_rows}
        if allow_text_only:
            given["filters"] = {"allow_text_only": True}
        settings = read_settings(given, set_ or [])
        inputs = [CurateInput("rollouts", run)]
        if greedy is not None:
            inputs.append(CurateInput("greedy", greedy, candidate=settings.mixes_text, reference=True))
        codec = Codec(tokenizer_folder(model)) if model else None
        loaded = load_problems(str(problem_file))
        banned = (
            frozenset(json.loads(line)["id"] for line in contaminated.read_text().splitlines())
            if contaminated
            else frozenset()
        )
        funnel = run_curation(inputs, loaded, place, settings, codec=codec, contaminated=banned, edits=edits)
        if as_json:
            print(json.dumps(funnel.model_dump(mode="json")))
            return
        of = f"{funnel.num_in} trajectories of {funnel.num_problems} problems"
        print(f"{funnel.num_kept} kept of {of} ({funnel.num_kept_text_only} text-only).")
        for step in funnel.steps:
            if step.num_dropped:
                print(f"  {step.step:<20} {step.num_in:>8} → {step.num_out:<8} −{step.num_dropped}")
        print(f"In {place}: kept.jsonl, dropped.jsonl, funnel.json", file=sys.stderr)


def _problem_file(run: Path) -> Path | None:
    """``problems.jsonl`` beside the rollouts, or the pool of the run that they belong to."""
    candidates = [
        run / "problems.jsonl",
        *(parent / "problems" / "pool.jsonl" for parent in (run, *list(run.resolve().parents)[:2])),
    ]
    return next((path for path in candidates if path.exists()), None)


def _explain(run: Path, wanted: str, as_json: bool) -> None:
    """Print the verdicts on one trajectory or problem; IncompleteError when nobody knows it."""
    from selftaught.curation.explain import curated_folders, explain
    from selftaught.errors import IncompleteError

    verdicts = list(explain(curated_folders(run), wanted))
    if not verdicts:
        raise IncompleteError(f"{wanted!r} is in no data set below {run}; expected a trajectory id or a problem id.")
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


def _editable(place: Path, path: Path) -> None:
    from selftaught.curation.edits import write_editable
    from selftaught.curation.records import KeptRow
    from selftaught.store import read_jsonl

    count = write_editable(read_jsonl(place / "kept.jsonl", KeptRow), path)
    print(
        f"{count} trajectories in {path}. Change texts of model and hint spans; delete the lines that you leave alone."
    )
    print("Curate again with --edits to bring them back.")


def _export(place: Path, problem_file: Path | None, formats: str, loss: str, model: str | None) -> None:
    from selftaught.errors import ConfigError
    from selftaught.problems import load_problems, render_question
    from selftaught.training.exports import FORMATS, Export, export
    from selftaught.training.render import POLICIES

    if loss not in POLICIES:
        raise ConfigError(f"--loss is {loss!r}; expected one of {', '.join(POLICIES)}.")
    names = list(FORMATS) if formats == "all" else [name for name in formats.split(",") if name]
    questions = {p.id: render_question(p) for p in load_problems(str(problem_file))} if problem_file else {}
    job = Export(place / "kept.jsonl", place / "export", POLICIES[loss], questions)
    for path in export(names, job, funnel=place / "funnel.json", model=model or ""):
        print(path)
