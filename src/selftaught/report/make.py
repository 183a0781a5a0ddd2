"""Make the report of one run in its own folder, or that of several runs in a folder of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from selftaught.errors import ConfigError, DataError
from selftaught.report.folder import report_data
from selftaught.report.publish import Published
from selftaught.report.publish import publish as write_copy
from selftaught.report.several import default_out, join_runs
from selftaught.report.write import ReportPaths, write_report
from selftaught.runs.folders import Folder


@dataclass(frozen=True)
class MadeReport:
    """What was written."""

    paths: ReportPaths
    published: Published | None = None
    """The copy that may be put on the web."""


def make_report(
    runs: Sequence[Path], out: Path | None = None, *, gated_text: bool = False, publish: Path | None = None
) -> MadeReport:
    """Write the report's files. ConfigError when options do not go together, DataError for what is no run's folder."""
    missing = next((one for one in runs if not one.is_dir()), None)
    if missing is not None:
        raise DataError(f"{missing} is not a folder; expected the folder of a run, such as runs/demo.")
    if len(runs) > 1:
        if publish is not None:
            raise ConfigError("--publish copies one run; name one.")
        folder = out or default_out(runs)
        if not folder.is_dir():
            Folder(folder).make()
        return MadeReport(write_report(folder, join_runs(runs, folder), gated_text=gated_text, records=False))
    if out is not None:
        raise ConfigError("--out is for a report of several runs; the report of one run lies in its own folder.")
    paths = write_report(runs[0], report_data(runs[0]), gated_text=gated_text)
    return MadeReport(paths, write_copy(runs[0], publish) if publish is not None else None)
