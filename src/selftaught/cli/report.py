"""``selftaught report RUN``: the table on the terminal, and the report's files in the run folder."""

from __future__ import annotations

from pathlib import Path

import typer


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("report")
    def report(
        run: Path = typer.Argument(
            ..., help="Folder of a run: trajectories with grades, or a report.json.", show_default=False
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

        Example: selftaught report runs/demo
        """
        import sys

        from rich.console import Console

        from selftaught.errors import DataError
        from selftaught.report import print_summary, write_report
        from selftaught.report.folder import report_data
        from selftaught.runs.folders import Folder

        if not run.is_dir():
            raise DataError(f"{run} is not a folder; expected the folder of a run, such as runs/demo.")
        data = report_data(run)
        paths = write_report(run, data, gated_text=gated_text)
        if json_:
            print(paths.json.read_text(encoding="utf-8"), end="")
        elif table:
            print_summary(data, Console(width=None if sys.stdout.isatty() else 100))
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
        for path in (paths.html, paths.markdown, paths.json):
            talk.print(f"wrote {path}{carried if path == paths.html else ''}", markup=False)
        talk.print(
            f"wrote {len(paths.figures)} figures and {len(paths.tables)} tables under {Folder(run).report_files}",
            markup=False,
        )
