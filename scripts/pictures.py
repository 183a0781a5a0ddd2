"""Take the README's two pictures from a finished demo: ``python scripts/pictures.py runs/demo``.

- ``docs/pictures/report.png``: the first screen of the run's ``report.html``, in a headless Chromium.
- ``docs/pictures/infer.svg``: base and START on the same question, as ``selftaught infer`` shows them on a terminal.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
QUESTION = "What is the remainder when 7^2023 is divided by 1000?"
NUM_COLUMNS = 92


def main() -> int:
    """Both pictures, or the one that ``--only`` names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a finished `selftaught demo`")
    parser.add_argument("--only", choices=["report", "infer"])
    options = parser.parse_args()
    PICTURES.mkdir(exist_ok=True)
    if options.only != "infer":
        picture_report(options.run / "report.html", PICTURES / "report.png")
    if options.only != "report":
        picture_infer(options.run / "round2" / "start", PICTURES / "infer.svg")
    return 0


def picture_report(page: Path, target: Path) -> None:
    """The first screen of a report, 1280 by 860 pixels."""
    sys.path.insert(0, str(ROOT / "tests" / "report"))
    from chromium import Chromium, find_browser

    browser = find_browser()
    if browser is None:
        sys.exit("no Chromium was found; install one, or take only the other picture with --only infer.")
    with Chromium(browser, width=1280, height=860) as window:
        window.open(page, timeout_s=120)
        window.wait("document.querySelectorAll('svg').length > 0", timeout_s=60)
        window.picture(target)


def picture_infer(start: Path, target: Path) -> None:
    """Base and START on one question, as SVG without a reference to fonts elsewhere."""
    from io import StringIO

    from rich.console import Console

    console = Console(record=True, force_terminal=True, width=NUM_COLUMNS, highlight=False, file=StringIO())
    for model, shown in (("toy", "toy"), (str(start), "runs/demo/round2/start")):
        console.print(f'$ selftaught infer "{QUESTION}" \\', style="bold", markup=False)
        console.print(f"      --model {shown} --hints none", style="bold", markup=False)
        answer(console, model, shown)
        console.print()
    svg = console.export_svg(title="the same question, before and after START")
    target.write_text(re.sub(r"@font-face\s*\{.*?\}\s*", "", svg, flags=re.DOTALL), encoding="utf-8")


def answer(console: object, model: str, shown: str) -> None:
    """Let ``model`` answer the question on the console."""
    from selftaught.cli.infer import boxed_answer
    from selftaught.records import Problem, ProblemKind, question_hash
    from selftaught.rollouts.settings import RolloutSettings
    from selftaught.rollouts.single import infer
    from selftaught.rollouts.watching import Screen

    screen = Screen(console)  # type: ignore[arg-type]
    screen.begin(f"{shown} · math · hints none", QUESTION)
    problem = Problem(id=question_hash(QUESTION), problem=QUESTION, kind=ProblemKind.MATH)
    trajectory = infer(problem, model, RolloutSettings(condition="infer+none", max_rows=1), screen)
    num_tokens = sum(len(span.token_ids) for span in trajectory.spans[1:])
    screen.finish(
        f"answer {boxed_answer(trajectory.text_after_prompt())} · {trajectory.stop_reason.value} · 0 hints · "
        f"{len(trajectory.tool_calls())} calls · {num_tokens} tokens · {trajectory.wall_s:.1f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
