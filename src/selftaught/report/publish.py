"""A copy of a run that may be put on the web: records and report, without the text of benchmarks that ask for that
(GPQA).

Every ``.jsonl`` file is copied line by line. A withheld problem keeps its id, its subject and a hash of its question; a
trajectory on it keeps who wrote how much and how it ended; a grade keeps its verdict. Of other files only ``run.json``
and a fresh report are in the copy: what else lies in a run (weights, logs, exports of other tools) may quote a question
and is left behind.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from selftaught.errors import ConfigError, DataError
from selftaught.evals.records import ReportData
from selftaught.records import Problem
from selftaught.report.folder import report_data
from selftaught.report.load import is_withheld
from selftaught.report.recorded import with_records
from selftaught.report.write import write_report
from selftaught.runs.folders import Folder
from selftaught.runs.names import FILES
from selftaught.store import iter_lines, write_atomic

WITHHELD = "[withheld]"
_KEPT_METADATA = ("secret", "subject", "group", "family", "level", "difficulty")
MAX_LETTER_CHARS = 3
"""A longer extracted answer may quote an option."""


@dataclass
class Published:
    """What a copy holds and what it does not."""

    folder: Path
    files: list[Path] = field(default_factory=list)
    left_behind: list[Path] = field(default_factory=list)
    num_withheld: int = 0
    """Problems whose text is not in the copy."""


def publish(run: Path, out: Path) -> Published:
    """Write the copy of ``run`` into ``out``, which must be new or empty. DataError on a record file that is broken."""
    if out.resolve() == run.resolve() or run.resolve() in out.resolve().parents:
        raise ConfigError(f"{out} lies inside {run}; expected a folder of its own.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} is not empty; expected a new folder.")
    data = with_records(run, report_data(run))
    folder = Folder(run)
    places = {folder.report_json, *folder.report_files.rglob("*"), folder.report_markdown, folder.report_page}
    outside = [run / ref.problems for ref in data.runs if (run / ref.problems).exists()]
    secret = _secret_ids([*run.rglob("*.jsonl"), *outside])
    result = Published(out, num_withheld=len(secret))
    for path in sorted(run.rglob("*")):
        if not path.is_file() or path in places or path.is_symlink():
            continue
        target = out / path.relative_to(run)
        if path.suffix == ".jsonl":
            write_atomic(target, _redacted(path, secret))
        elif path == Folder(path.parent).record:
            write_atomic(target, [path.read_bytes()])
        else:
            result.left_behind.append(path.relative_to(run))
            continue
        result.files.append(path.relative_to(run))
    write_report(out, _with_problems_inside(run, out, data, secret))
    return result


def _with_problems_inside(run: Path, out: Path, data: ReportData, secret: set[str]) -> ReportData:
    """Copy problem files that lie outside the run into the copy, and let the document name them there."""
    top = run.resolve()
    outside = dict.fromkeys(ref.problems for ref in data.runs if top not in (run / ref.problems).resolve().parents)
    moved = {}
    for number, name in enumerate(name for name in outside if (run / name).exists()):
        moved[name] = f"{FILES.problem_folder}/outside-{number}.jsonl"
        write_atomic(out / moved[name], _redacted(run / name, secret))
    refs = [ref.model_copy(update={"problems": moved.get(ref.problems, ref.problems)}) for ref in data.runs]
    return data.model_copy(update={"runs": refs})


def _secret_ids(files: Iterable[Path]) -> set[str]:
    """Ids of the problems whose text is withheld, from every problem file among ``files``."""
    found: set[str] = set()
    for path in files:
        for _, line in iter_lines(path):
            if b'"problem":' not in line:
                break  # not a file of problems
            problem = _problem(line)
            if problem is not None and is_withheld(problem):
                found.add(problem.id)
    return found


def _problem(line: bytes) -> Problem | None:
    try:
        return Problem.model_validate_json(line)
    except ValueError:
        return None


def _redacted(path: Path, secret: set[str]) -> Iterator[bytes]:
    for number, line in iter_lines(path):
        if not secret:
            yield line
            continue
        try:
            row = json.loads(line)
        except ValueError:
            raise DataError(f"{path}:{number}: not JSON; expected one record a line.") from None
        yield json.dumps(_without_text(row, secret), ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _without_text(row: Any, secret: set[str]) -> Any:
    """One record without a withheld question's text, whatever record it is."""
    if not isinstance(row, dict):
        return row
    if "problem" in row and row.get("id") in secret:
        return _bare_problem(row)
    if isinstance(row.get("trajectory"), dict):
        row = {**row, "trajectory": _without_text(row["trajectory"], secret)}
    if row.get("problem_id") not in secret:
        return row
    if "spans" in row:
        return _bare_trajectory(row)
    if "outcome" in row:
        short = isinstance(row.get("extracted"), str) and len(row["extracted"]) <= MAX_LETTER_CHARS
        return {**row, "reason": "", **({} if short else {"extracted": None})}
    return {key: value for key, value in row.items() if not isinstance(value, str) or key.endswith("id")}


def _bare_problem(row: dict[str, Any]) -> dict[str, Any]:
    digest = hashlib.sha256(str(row["problem"]).encode("utf-8", "replace")).hexdigest()[:16]
    bare: dict[str, Any] = {key: row[key] for key in ("id", "kind", "answer", "source", "split") if key in row}
    if row.get("choices"):
        bare["choices"] = [f"[withheld {chr(65 + number)}]" for number in range(len(row["choices"]))]
    metadata = {key: value for key, value in (row.get("metadata") or {}).items() if key in _KEPT_METADATA}
    return {**bare, "problem": f"[withheld, sha256 {digest}]", "metadata": {**metadata, "secret": True}}


def _bare_trajectory(row: dict[str, Any]) -> dict[str, Any]:
    spans = [{"source": span["source"], "token_ids": [], "text": WITHHELD} for span in row["spans"]]
    bare = {key: value for key, value in row.items() if key not in ("spans", "decisions", "error")}
    return {**bare, "spans": spans, "text_only": True}
