"""``selftaught report RUN``: the table on the terminal, and the report's files in the run folder."""

from __future__ import annotations

from pathlib import Path

import typer


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
        import sys

        from rich.console import Console

        from selftaught.errors import ConfigError, DataError
        from selftaught.report import print_summary, write_report
        from selftaught.report.folder import report_data
        from selftaught.report.several import default_out, join_runs
        from selftaught.runs.folders import Folder

        missing = next((one for one in runs if not one.is_dir()), None)
        if missing is not None:
            raise DataError(f"{missing} is not a folder; expected the folder of a run, such as runs/demo.")
        several = len(runs) > 1
        if several and publish is not None:
            raise ConfigError("--publish copies one run; name one.")
        if out is not None and not several:
            raise ConfigError("--out is for a report of several runs; the report of one run lies in its own folder.")
        run = (out or default_out(runs)) if several else runs[0]
        data = join_runs(runs, run) if several else report_data(run)
        paths = write_report(run, data, gated_text=gated_text, records=not several)
        if json_:
            print(paths.json.read_text(encoding="utf-8"), end="")
        elif table:
            print_summary(paths.data or data, Console(width=None if sys.stdout.isatty() else 100))
        talk = Console(stderr=True, highlight=False, soft_wrap=True)
        carried = (
            ""
            if paths.num_trajectories == paths.num_total
            else f" ({paths.num_trajectories:,} of {paths.num_total:,} trajectories in it)"
        )
        if publish is not None:
            from selftaught.report.publish import publish as write_copy

            copy = write_copy(run, publish)
            talk.print(
                f"wrote {copy.folder}: {len(copy.files)} record files and a report; the text of {copy.num_withheld} problems withheld; "
                f"{len(copy.left_behind)} other files left behind",
                markup=False,
            )
        if any(ref.num_ungraded for ref in data.runs) and not several:
            talk.print(f"next: selftaught grade {run}", markup=False)
        for path in (paths.html, paths.markdown, paths.json):
            talk.print(f"wrote {path}{carried if path == paths.html else ''}", markup=False)
        talk.print(
            f"wrote {len(paths.figures)} figures and {len(paths.tables)} tables under {Folder(run).report_files}",
            markup=False,
        )
