"""``selftaught report RUN``: the table on the terminal, and the report's files in the run folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from selftaught.runs.folders import Folder

if TYPE_CHECKING:
    from selftaught.report import ReportPaths


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("report")
    def report(
        runs: list[Path] = typer.Argument(
            ...,
            metavar="RUN...",
            help="Folder of a run: trajectories with grades, or a report.json. Several make one report.",
            show_default=False,
        ),
        out: Path | None = typer.Option(
            None,
            "--out",
            help="Folder for a report of several runs. Default: runs/report-NAME-NAME.",
            show_default=False,
        ),
        json_: bool = typer.Option(False, "--json", help="Print report.json on stdout instead of the table."),
        table: bool = typer.Option(True, "--table/--no-table", help="Print the results table on stdout."),
        gated_text: bool = typer.Option(
            False,
            "--gated-text",
            help="Put questions into the page whose owners ask that they are not published (GPQA). Keep it to yourself.",
        ),
        publish: Path | None = typer.Option(
            None,
            "--publish",
            help="Also write a copy that may be put on the web into this new folder: records and report, GPQA's text withheld.",
            show_default=False,
        ),
    ) -> None:
        """Table, report.md, report.json and a self-contained report.html of a run.

        A run that has not ended is reported as far as it is. Examples: selftaught report runs/demo · selftaught report runs/a runs/b
        """
        paths = _write(runs, out, gated_text, publish)
        if json_:
            print(paths.json.read_text(encoding="utf-8"), end="")
        elif table:
            _print_table(paths)
        _tell(paths, runs)


def _write(runs: list[Path], out: Path | None, gated_text: bool, publish: Path | None) -> ReportPaths:
    """Write the report of one run into its folder, or that of several into a folder of its own; and the copy for the web."""
    from selftaught.report.make import make_report

    made = make_report(runs, out, gated_text=gated_text, publish=publish)
    copy = made.published
    if copy is not None:
        print(
            f"wrote {copy.folder}: {len(copy.files)} record files and a report; the text of {copy.num_withheld} problems withheld; "
            f"{len(copy.left_behind)} other files left behind",
            file=sys.stderr,
        )
    return made.paths


def _print_table(paths: ReportPaths) -> None:
    from rich.console import Console

    from selftaught.report import print_summary

    if paths.data is not None:
        print_summary(paths.data, Console(width=None if sys.stdout.isatty() else 100))


def _tell(paths: ReportPaths, runs: list[Path]) -> None:
    """What was written, and what is to be done where trajectories have no grade yet."""
    left_out = paths.num_trajectories < paths.num_total
    carried = f" ({paths.num_trajectories:,} of {paths.num_total:,} trajectories in it)" if left_out else ""
    lines = [
        f"wrote {path}{carried if path == paths.html else ''}" for path in (paths.html, paths.markdown, paths.json)
    ]
    folder = Folder(paths.json.parent).report_files
    lines.append(f"wrote {len(paths.figures)} figures and {len(paths.tables)} tables under {folder}")
    if len(runs) == 1 and paths.data is not None and any(ref.num_ungraded for ref in paths.data.runs):
        lines.append(f"next: selftaught grade {runs[0]}")
    print("\n".join(lines), file=sys.stderr)
