"""Writes all forms of a report into its run folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selftaught.evals.records import ReportData
from selftaught.records import Trajectory
from selftaught.report import csvs
from selftaught.report.charts import Figure, Palette, all_figures
from selftaught.report.load import load_run, read_report_data
from selftaught.report.markdown import render_markdown
from selftaught.report.page import render_page
from selftaught.report.payload import Weigh, build_payload, converter, short_questions
from selftaught.report.recorded import with_records
from selftaught.runs.condition import Condition, LoopModel
from selftaught.runs.folders import Folder
from selftaught.store import write_atomic, write_json

if TYPE_CHECKING:
    from selftaught.training.render import LossPolicy


@dataclass(frozen=True)
class ReportPaths:
    """What was written."""

    json: Path
    markdown: Path
    html: Path
    figures: list[Path] = field(default_factory=list)
    tables: list[Path] = field(default_factory=list)
    num_trajectories: int = 0
    """Trajectories that the page carries."""
    num_total: int = 0
    """Trajectories in the run."""
    data: ReportData | None = None
    """The document as it was written."""


@dataclass(frozen=True)
class Rendered:
    """A report's document with its figures, its page, and how much of the run the page carries."""

    data: ReportData
    figures: dict[str, Figure]
    palette: Palette
    page: str
    num_trajectories: int
    num_total: int


def render_report(
    run_dir: Path, data: ReportData, *, gated_text: bool = False, live: bool = False, records: bool = True
) -> Rendered:
    """Make figures and page without writing anything. ``live``: the page asks its server for news.

    ``records``: add what the folder records of its stages, trainings and provenance.
    """
    data = with_records(run_dir, data) if records else data
    palette = Palette(data.condition_names())
    figures = all_figures(data, palette)
    content = load_run(run_dir, data, converter(weigh_by(data)), gated_text=gated_text)
    page = render_page(data, figures, palette, build_payload(data, content), short_questions(content), live=live)
    return Rendered(data, figures, palette, page, content.num_kept, content.num_total)


def write_report(
    run_dir: Path, data: ReportData | None = None, *, gated_text: bool = False, records: bool = True
) -> ReportPaths:
    """Write ``report.json``, ``report.md``, ``report.html`` and ``report/{figures,tables}`` into ``run_dir``.

    ``data`` defaults to the folder's ``report.json``. Equal input gives equal bytes. ``gated_text`` puts questions into
    the page whose owners ask that they are not published (GPQA); keep such a page to yourself. Raises DataError when
    there is no ``report.json``, or when a record file that it names is broken.
    """
    folder = Folder(run_dir)
    if data is None:
        data = read_report_data(folder.report_json)
    made = render_report(run_dir, data, gated_text=gated_text, records=records)
    figure_paths, table_paths = [], []
    for name, figure in made.figures.items():
        figure_paths.append(_write(folder.report_files / "figures" / f"{name}.svg", figure.file(made.palette)))
    for name, build in csvs.ALL.items():
        table_paths.append(_write(folder.report_files / "tables" / f"{name}.csv", build(made.data)))
    links = {name: f"{folder.report_files.name}/figures/{name}.svg" for name in made.figures}
    markdown = _write(folder.report_markdown, render_markdown(made.data, links))
    html = _write(folder.report_page, made.page)
    write_json(folder.report_json, made.data.model_dump(mode="json"))
    return ReportPaths(
        folder.report_json, markdown, html, figure_paths, table_paths, made.num_trajectories, made.num_total, made.data
    )


def weigh_by(data: ReportData) -> Weigh:
    """Loss weight of each span under the run's own recipe; the default policy where the run names none.

    Round one's policy stands for the base and its hinted rollouts, round two's for START, the control's for
    ``base-rft``. None for text that training refuses.
    """
    from selftaught.training.render import LossPolicy

    policies = {name: _policy(data.provenance.settings, name) for name in ("seed_round", "start_round", "control")}

    def weigh(trajectory: Trajectory) -> list[float | None]:
        if trajectory.text_only:
            return [None] * len(trajectory.spans)
        policy = policies[_stage_of(trajectory.condition)] or LossPolicy()
        return [float(policy.takes(span)) for span in trajectory.spans]

    return weigh


def _stage_of(condition: str) -> str:
    """The stage of a recipe that trains on rollouts like this condition's."""
    match Condition.parse(condition).model:
        case LoopModel.CONTROL:
            return "control"
        case LoopModel.START | LoopModel.START_0:
            return "start_round"
        case _:
            return "seed_round"


def _policy(settings: dict[str, Any], stage: str) -> LossPolicy | None:
    """The loss policy of one stage of the recipe that a run keeps; None when it has no such stage."""
    from pydantic import ValidationError

    from selftaught.training.render import LossPolicy

    section = settings.get(stage)
    train = section.get("train") if isinstance(section, dict) else None
    loss = train.get("loss") if isinstance(train, dict) else None
    try:
        return LossPolicy.model_validate(loss) if isinstance(loss, dict) else None
    except ValidationError:
        return None


def _write(path: Path, text: str) -> Path:
    write_atomic(path, [text.encode("utf-8", "replace")])
    return path
