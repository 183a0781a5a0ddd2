"""``selftaught view RUN``: the report of a run in the browser, which follows the run while it grows."""

from __future__ import annotations

from pathlib import Path

import typer


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("view")
    def view(
        runs: list[Path] = typer.Argument(
            ..., metavar="RUN...", help="Folder of a run; several are shown side by side.", show_default=False
        ),
        port: int = typer.Option(8600, "--port", min=0, max=65535, help="Port on 127.0.0.1; 0 takes any free one."),
        open_: bool = typer.Option(False, "--open", help="Open the page in the browser."),
        gated_text: bool = typer.Option(
            False, "--gated-text", help="Show questions whose owners ask that they are not published (GPQA)."
        ),
    ) -> None:
        """Serve the report of a run to this machine; it follows the run while it grows. Ctrl-C ends it.

        Example: selftaught view runs/demo
        """
        import sys

        from selftaught.errors import DataError
        from selftaught.report.live import LivePage, LiveServer

        missing = next((run for run in runs if not run.is_dir()), None)
        if missing is not None:
            raise DataError(f"{missing} is not a folder; expected the folder of a run, such as runs/demo.")
        with LiveServer(LivePage(runs, gated_text=gated_text), port) as server:
            print(server.url, flush=True)
            print("Only this machine can open it. Nothing is written into the run. Ctrl-C ends it.", file=sys.stderr)
            if open_:
                import webbrowser

                webbrowser.open(server.url)
            try:
                server.wait()
            except KeyboardInterrupt:
                print("stopped", file=sys.stderr)
