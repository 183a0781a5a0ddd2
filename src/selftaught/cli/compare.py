"""``selftaught compare A B``: two runs on the same problems, paired; a gate for continuous integration."""

from __future__ import annotations

from pathlib import Path

import typer


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("compare")
    def compare(
        run_a: Path = typer.Argument(..., help="Folder of the run to compare with.", show_default=False),
        run_b: Path = typer.Argument(..., help="Folder of the run that is judged.", show_default=False),
        condition_a: str | None = typer.Option(
            None, "--condition-a", help="Condition of A. Default: the same as B's.", show_default=False
        ),
        condition_b: str | None = typer.Option(None, "--condition-b", help="Condition of B.", show_default=False),
        fail_below: float | None = typer.Option(
            None,
            "--fail-below",
            help="Exit 1 when B − A in points lies below this on a whole benchmark.",
            show_default=False,
        ),
        significant: bool = typer.Option(
            False, "--significant", help="With --fail-below: fail only when the whole interval lies below it."
        ),
        json_: bool = typer.Option(False, "--json", help="Print JSON."),
    ) -> None:
        """B − A on the problems that both have: paired difference, 95 % interval, exact test, fixed and broken problems.

        Examples: selftaught compare runs/before runs/after · selftaught compare runs/demo runs/demo --condition-a base --condition-b start · selftaught compare runs/main runs/branch --fail-below -2 --significant
        """
        from selftaught.errors import IncompleteError
        from selftaught.evals.compare import compare_runs

        report = compare_runs(run_a, run_b, condition_a, condition_b)
        if json_:
            print(report.model_dump_json(indent=2))
        else:
            _print_table(report)
        if fail_below is not None:
            failing = [
                row
                for row in report.whole()
                if (row.paired.ci95[1] if significant else row.paired.diff) < fail_below / 100
            ]
            if failing:
                worst = min(failing, key=lambda row: row.paired.diff)
                raise IncompleteError(
                    f"{worst.condition_b} on {worst.benchmark} is {100 * worst.paired.diff:+.1f} points against {worst.condition_a}; the bar is {fail_below:+g}."
                )


def _print_table(report: object) -> None:
    import sys

    from selftaught.evals.compare import ComparisonReport
    from selftaught.report.text import points, points_interval

    assert isinstance(report, ComparisonReport)
    header = ("benchmark", "A", "B", "n", "A %", "B %", "B − A [95 %]", "p", "fixed", "broken")
    rows = [
        (
            row.benchmark,
            row.condition_a,
            row.condition_b,
            str(row.paired.n),
            f"{100 * row.a.pass_at_1:.1f}",
            f"{100 * row.b.pass_at_1:.1f}",
            f"{points(row.paired.diff)} {points_interval(row.paired.ci95)}",
            f"{row.paired.p_value:.3f}" if row.paired.p_value is not None else "–",
            str(row.transition.wrong_to_right),
            str(row.transition.right_to_wrong),
        )  # fmt: skip
        for row in report.comparisons
    ]
    widths = [max(len(line[column]) for line in [header, *rows]) for column in range(len(header))]
    for line in [header, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    for note in report.notes:
        print(note, file=sys.stderr)
