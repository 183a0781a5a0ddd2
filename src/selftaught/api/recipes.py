"""The whole loop as a function: every stage of a recipe, both rounds."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

from selftaught.api.notebook import shown
from selftaught.api.options import Folder, Overrides, override_texts
from selftaught.api.results import EvalResult, RunResult
from selftaught.evals.records import ReportData
from selftaught.pipeline.execute import execute
from selftaught.pipeline.load import load_recipe


def run(
    recipe: Folder,
    *,
    out: Folder,
    fresh: bool = False,
    reuse: Folder | Sequence[Folder] = (),
    set: Overrides = None,
    cores: int | None = None,
    quiet: bool = False,
) -> RunResult:
    """Run a recipe, a YAML file or the name of a shipped one, in the folder ``out``; the same call goes on in it.

    ``reuse`` is another run, or several: their finished stages are taken over where their settings and inputs are the same.
    """
    return _execute(str(recipe), out, fresh, set, cores, quiet, "run", reuse)


def demo(
    *,
    out: Folder = "runs/demo",
    fresh: bool = False,
    recipe: Folder = "demo",
    set: Overrides = None,
    cores: int | None = None,
    quiet: bool = False,
) -> RunResult:
    """The whole START loop on the embedded reasoner: about ten minutes on two CPU cores."""
    return _execute(str(recipe), out, fresh, set, cores, quiet, "demo")


def _execute(
    recipe: str,
    out: Folder,
    fresh: bool,
    overrides: Overrides,
    cores: int | None,
    quiet: bool,
    verb: str,
    reuse: Folder | Sequence[Folder] = (),
) -> RunResult:
    loaded = load_recipe(recipe, override_texts(overrides))
    with _no_main_file():
        done = execute(
            loaded,
            Path(out),
            fresh=fresh,
            reuse=[Path(other) for other in ([reuse] if isinstance(reuse, str | PathLike) else reuse)],
            num_cores=cores,
            shown=shown(quiet),
            verb=verb,
        )
    folder = done.run
    results = html = None
    if folder.report_json.exists():
        data = ReportData.model_validate_json(folder.report_json.read_bytes())
        results, html = EvalResult.of(data, out=str(folder.path)), str(folder.report_page)
    return RunResult(
        out=str(folder.path),
        stages=[stage.name for stage in done.stages],
        was_done=done.was_done,
        empty=list(done.empty.values()),
        html=html,
        results=results,
    )


@contextmanager
def _no_main_file() -> Iterator[None]:
    """Let stages' processes start without the caller's script, which they would run again from its top."""
    main = sys.modules["__main__"].__dict__
    kept: dict[str, Any] = {name: main[name] for name in ("__file__", "__spec__") if name in main}
    main |= dict.fromkeys(kept)
    try:
        yield
    finally:
        main |= kept
