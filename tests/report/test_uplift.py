"""What hints do, in the report: the table, the forest plot wide and narrow, and the files."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.uplift.worlds import fork, probe

from selftaught.evals.records import ReportData
from selftaught.report.charts import Palette, all_figures
from selftaught.report.charts.uplift import MAX_ROWS, NARROW
from selftaught.report.csvs import uplift as uplift_csv
from selftaught.report.recorded import uplift_tables
from selftaught.report.tables import uplift_table
from selftaught.report.write import write_report
from selftaught.store import write_records
from selftaught.uplift.tables import uplift_table as table_of

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def data() -> ReportData:
    return ReportData(title="a probe", uplift=[table_of(probe(300), "probe")])


def test_the_forest_plot_has_two_forms_and_cuts_nothing(data: ReportData) -> None:
    figure = all_figures(data, Palette([]))["uplift"]
    drawings = re.findall(r"<svg.*?</svg>", figure.inline())
    assert [re.search(r'class="([^"]*)"', one)[1] for one in drawings] == ["if-broad", "if-narrow"]  # type: ignore[index]
    for drawing in drawings:
        root = ElementTree.fromstring(drawing)
        width, height = float(root.attrib["width"]), float(root.attrib["height"])
        assert width == NARROW or width > 1000
        for circle in root.iter(f"{SVG}circle"):
            assert 4 <= float(circle.attrib["cx"]) <= width - 4 and 4 <= float(circle.attrib["cy"]) <= height - 4
        words = [text.text for text in root.iter(f"{SVG}text")]
        assert "math · at the end of thinking" in words and "good" in words and "points" in words
        assert any(word and word.startswith("▲ +") for word in words)
        assert any(word and word.startswith("▼ −") for word in words)
    assert "if-narrow" not in figure.file(Palette([]))


def test_wide_intervals_end_in_an_arrow_and_many_rows_are_joined() -> None:
    few = ReportData(uplift=[table_of([fork("a", False, {"good": True}), fork("b", True, {"bad": False})])])
    drawn = all_figures(few, Palette([]))["uplift"].inline()
    assert drawn.count("<path") >= 4
    forks = [
        fork(f"{kind}{i}", i % 2 == 0, {f"hint{n}": True for n in range(20)}, kind=kind)
        for kind in ("math", "choice", "code")
        for i in range(4)
    ]  # type: ignore[arg-type]
    many = ReportData(uplift=[table_of(forks)])
    assert len(many.uplift[0].rows) > MAX_ROWS
    assert "n = 12" in all_figures(many, Palette([]))["uplift"].inline()


def test_the_table_says_what_is_known(data: ReportData) -> None:
    table = uplift_table(data.uplift[0])
    rows = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert rows["good"]["verdict"] == "helps" and rows["bad"]["verdict"] == "harms"
    assert re.fullmatch(r"\+\d+\.\d \[\+\d+\.\d, \+\d+\.\d\]", rows["good"]["gain − loss [95 %]"])
    assert "too few pairs to say" in table.note
    assert rows["all hints"]["pairs"] == "600"
    lines = list(csv.DictReader(io.StringIO(uplift_csv(data))))
    assert {line["hint"] for line in lines} == {"good", "bad"} and float(lines[0]["diff"]) > 0


def test_a_folder_with_forks_shows_them_in_every_form(tmp_path: Path) -> None:
    write_records(tmp_path / "round1" / "probe" / "forks.jsonl", probe(60))
    assert [table.name for table in uplift_tables(tmp_path)] == ["round1/probe"]
    paths = write_report(tmp_path, ReportData(title="t"))
    page, markdown = paths.html.read_text(), paths.markdown.read_text()
    assert '<section id="uplift"><h2>What hints do</h2>' in page
    assert "## Uplift of hints: round1/probe" in markdown and "figures/uplift.svg" in markdown
    assert ReportData.model_validate_json(paths.json.read_text()).uplift[0].num_forks == 60


def test_a_run_without_forks_shows_nothing_of_them(tmp_path: Path) -> None:
    page = write_report(tmp_path, ReportData(title="t")).html.read_text()
    assert "What hints do" not in page
