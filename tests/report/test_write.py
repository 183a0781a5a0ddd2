from __future__ import annotations

import base64
import gzip
import hashlib
import html.parser
import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from selftaught.evals.records import ReportData
from selftaught.report import write_report
from selftaught.report.load import read_report_data
from selftaught.report.paper import paper_table
from selftaught.store import write_json

from .synthetic import MadeRun, make_run


def blocks(page: str) -> dict[str, object]:
    """The unpacked data blocks of a page by id."""
    found = re.findall(r'<script type="application/octet-stream" id="([\w-]+)">([A-Za-z0-9+/=]*)</script>', page)
    return {name: json.loads(gzip.decompress(base64.b64decode(text))) for name, text in found}


def test_all_forms_are_written(made: MadeRun, tmp_path: Path) -> None:
    run = make_run(tmp_path, num_problems=24)
    paths = write_report(run.folder)
    assert {path.stem for path in paths.figures} == {
        "accuracy", "scaling", "families", "outcomes", "transitions", "tools", "tokens", "funnel", "ablations",
    }  # fmt: skip
    assert all(path.exists() for path in (paths.html, paths.markdown, paths.json, *paths.figures, *paths.tables))
    assert paths.num_trajectories == paths.num_total == 24 * 7


def test_equal_input_gives_equal_bytes(tmp_path: Path) -> None:
    def digest(folder: Path) -> dict[str, str]:
        make_run(folder, num_problems=24)
        write_report(folder)
        return {
            str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted(folder.rglob("*"))
            if p.is_file()
        }

    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    before = digest(tmp_path / "a")
    write_report(tmp_path / "a")
    assert before == {
        str(p.relative_to(tmp_path / "a")): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted((tmp_path / "a").rglob("*"))
        if p.is_file()
    }


def test_report_json_has_the_fixed_keys(written: Path) -> None:
    data = json.loads((written / "report.json").read_text())
    assert {"conditions", "paired", "scaling", "funnel", "stages"} <= set(data)
    assert {"name", "benchmark", "n", "k", "pass_at_1", "ci95", "tool_call_rate", "tokens_mean", "outcomes"} <= set(
        data["conditions"][0]
    )
    assert {"a", "b", "benchmark", "diff", "ci95"} <= set(data["paired"][0])
    assert {"model", "round", "pass_at_1", "tokens_mean"} <= set(data["scaling"][0])
    assert {"name", "seconds", "tokens"} <= set(data["stages"][0])
    assert ReportData.model_validate(data) == read_report_data(written / "report.json")


def test_page_is_self_contained(written: Path) -> None:
    page = (written / "report.html").read_text()
    head = page[: page.index("</head>")]
    assert "default-src 'none'" in head
    assert "unsafe" not in head.split("</style>")[0].split("<style>")[0]
    urls = set(re.findall(r"https?://[^\s\"'<>)`]+", page))
    assert urls <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1998/Math/MathML"}  # names, never fetched
    assert "src=" not in re.sub(r"<script>.*?</script>", "", page, flags=re.S)
    assert "style=" not in re.sub(r"<script>.*?</script>", "", page, flags=re.S)
    assert "innerHTML" not in page
    assert "outerHTML" not in page
    assert "insertAdjacentHTML" not in page


def test_policy_names_the_script_and_the_style(written: Path) -> None:
    page = (written / "report.html").read_text()
    for tag in ("script", "style"):
        body = re.search(rf"<{tag}>(.*?)</{tag}>", page, flags=re.S)
        assert body is not None
        digest = base64.b64encode(hashlib.sha256(body.group(1).encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in page


def test_page_tags_are_balanced(written: Path) -> None:
    class Checker(html.parser.HTMLParser):
        open: list[str] = []

        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in ("meta", "link", "input", "br"):
                self.open.append(tag)

        def handle_startendtag(self, tag: str, attrs: object) -> None:
            pass

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    checker = Checker()
    checker.feed((written / "report.html").read_text())
    assert checker.open == []


def test_figures_are_well_formed_and_fit(written: Path) -> None:
    for path in (written / "report" / "figures").glob("*.svg"):
        root = ElementTree.fromstring(path.read_text())
        left, top, width, height = (float(value) for value in root.attrib["viewBox"].split())
        for element in root.iter("{http://www.w3.org/2000/svg}rect"):
            x, y = float(element.attrib["x"]), float(element.attrib["y"])
            assert left - 1 <= x <= left + width + 1, path.name
            assert top - 1 <= y, path.name
            assert x + float(element.attrib["width"]) <= left + width + 1, path.name
            assert y + float(element.attrib["height"]) <= top + height + 1, path.name


def test_markdown_has_every_table_and_figure(written: Path) -> None:
    text = (written / "report.md").read_text()
    assert text.startswith("# synthetic run\n")
    for heading in ("Accuracy", "Details: hard", "What changed, problem by problem", "Provenance"):
        assert f"\n## {heading}\n" in text
    for path in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text):
        assert (written / path).exists()
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.endswith("|")
    widths = [len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("|")]
    assert min(widths) > 3
    assert "Beside the paper" not in text  # these are not the paper's problems


def test_the_paper_stands_beside_its_own_benchmarks(tmp_path: Path) -> None:
    run = make_run(tmp_path, num_problems=12)
    rows = [row.model_copy(update={"benchmark": "math500"}) for row in run.data.conditions if row.benchmark == "all"]
    data = run.data.model_copy(update={"conditions": rows})
    table = paper_table(data)
    assert [row[0] for row in table.rows if row[0].startswith("this run")] == [f"this run: {row.name}" for row in rows]
    assert table.columns[1:] == ["GPQA", "MATH500", "AMC23", "AIME24", "AIME25", "LCB", "mean", "Δ"]
    assert paper_table(run.data).rows == []


def test_no_hyphen_stands_for_a_minus(written: Path) -> None:
    text = (written / "report.md").read_text()
    assert re.findall(r"(?<![\w.–-])-\d+\.\d", re.sub(r"\(report/[^)]*\)", "", text)) == []


def test_an_empty_report_is_a_report(tmp_path: Path) -> None:
    write_json(tmp_path / "report.json", ReportData(created_at="2026-11-20T12:00:00Z").model_dump(mode="json"))
    paths = write_report(tmp_path)
    assert paths.figures == []
    assert "<h1>selftaught</h1>" in paths.html.read_text()


def test_verb_writes_and_prints(run_cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    make_run(tmp_path, num_problems=12)
    result = run_cli("report", tmp_path)
    assert result.exit_code == 0
    assert "start-no-tools" in result.stdout
    assert "report.html" in result.stderr
    document = json.loads(run_cli("report", tmp_path, "--json").stdout)
    assert document["title"] == "synthetic run"
    assert run_cli("report", tmp_path / "nowhere").exit_code == 2
