from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selftaught.evals.records import ConditionRow, FamilyRow, GridRow, ReportData, RunRef
from selftaught.records import Grade, Outcome, Problem, ProblemKind, Span, SpanSource, StopReason, ToolInfo, Trajectory
from selftaught.report import write_report
from selftaught.report.charts import Palette, all_figures
from selftaught.report.charts.palette import slug
from selftaught.report.page import script
from selftaught.report.text import clip, csv_text, html_text, markdown_text, one_line, visible
from selftaught.store import write_json, write_records

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"'><svg onload=alert(1)>",
    "]]><!-- -->",
    "a\u202egnp.exe\u2066b",
    "nul\x00bell\x07esc\x1b[31m",
    "$\\href{javascript:alert(1)}{x}$ $\\text{</script>}$",
    "```python\nprint('</script>')\n",
    "javascript:alert(1)",
    "x" * 1_000_000,
    "| a | b |\n`` ` ``",
    '=HYPERLINK("http://evil")',
]


def make_hostile(folder: Path) -> ReportData:
    """A run in which every text field is an attack."""
    problems, trajectories, grades, grid = [], [], [], []
    for number, text in enumerate(HOSTILE):
        name = f"{number}-{text[:60]}"
        problems.append(
            Problem(
                id=name,
                problem=text,
                kind=ProblemKind.CHOICE,
                answer=text[:5000],
                choices=[text[:5000], "B"],
                metadata={"family": text[:60], "group": text[:40]},
            )
        )
        tool = ToolInfo(code=text[:1000], status="error", output=text[:1000], wall_s=0.1, tier=text[:40])
        spans = [
            Span(source=SpanSource.PROMPT, token_ids=[1], text=text),
            Span(source=SpanSource.MODEL, token_ids=[2], text=text + "\n```python\n" + text + "\n```\n"),
            Span(source=SpanSource.TOOL, token_ids=[3], text=f"```output\n{text}\n```\n", tool=tool),
            Span(source=SpanSource.MODEL, token_ids=[4], text=f"{text}</think>{text} $x^2$"),
        ]
        trajectories.append(
            Trajectory(
                id=f"{name}#0", problem_id=name, condition="base", spans=spans, stop_reason=StopReason.ANSWERED, model=text[:80],
                error=text[:3000], created_at="2026-11-20T12:00:00Z",
            )
        )  # fmt: skip
        grades.append(
            Grade(
                trajectory_id=f"{name}#0",
                problem_id=name,
                outcome=Outcome.WRONG,
                correct=False,
                extracted=text,
                path=text[:50],
                reason=text,
            )
        )
        grid.append(
            GridRow(
                problem_id=name,
                benchmark="b<i>",
                family=text[:60],
                group=text[:40],
                cells={"base": 0.0},
                outcomes={"base": Outcome.WRONG},
            )
        )
    write_records(folder / "problems.jsonl", problems)
    write_records(folder / "trajectories.jsonl", trajectories)
    write_records(folder / "grades.jsonl", grades)
    zero = dict.fromkeys(Outcome, 0) | {Outcome.WRONG: len(HOSTILE)}
    rows = [
        ConditionRow(
            name=name,
            benchmark=benchmark,
            n=12,
            k=1,
            pass_at_1=0.0,
            ci95=(0.0, 0.2),
            tool_call_rate=1.0,
            tokens_mean=4,
            outcomes=zero,
        )
        for name in ("base", *(text[:40] for text in HOSTILE[:4]))
        for benchmark in ("b<i>", "</title>")
    ]
    families = [
        FamilyRow(family=text[:60], group="<b>", condition="base", n=1, pass_at_1=0, ci95=(0, 1), tool_call_rate=1)
        for text in HOSTILE
    ]
    data = ReportData(
        title=HOSTILE[0], created_at="2026-11-20T12:00:00Z", conditions=rows, families=families, grid=grid, notes=HOSTILE[:-3],
        runs=[RunRef(condition="base", benchmark="b<i>", problems="problems.jsonl", trajectories="trajectories.jsonl", grades="grades.jsonl", num_trajectories=len(HOSTILE), model=HOSTILE[1])],
    )  # fmt: skip
    write_json(folder / "report.json", data.model_dump(mode="json"))
    return data


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    data = make_hostile(tmp_path)
    paths = write_report(tmp_path)
    page = paths.html.read_text(encoding="utf-8")
    assert page.count("<script") == 2 + page.count("application/octet-stream") - 1
    page = page.replace(script(), "")  # ours: the TeX library names elements that it may build
    assert "<img" not in page
    assert "onerror=alert(1)>" not in page
    assert "\u202e" not in page
    assert "\x00" not in page
    markdown = paths.markdown.read_text(encoding="utf-8")
    assert "<script>" not in markdown
    assert "<img" not in markdown.replace("\\<img", "")
    assert "\u202e" not in markdown
    for figure in paths.figures:
        ElementTree.fromstring(figure.read_text(encoding="utf-8"))
    table = (tmp_path / "report" / "tables" / "problems.csv").read_text()
    assert "\x00" not in table
    assert len(all_figures(data, Palette(data.condition_names()))) == len(paths.figures)
    assert paths.html.stat().st_size < 3_000_000


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_visible_leaves_no_control_character(text: str) -> None:
    shown = visible(text)
    assert not any(ord(c) < 0x20 and c not in "\n\t" for c in shown)
    assert not any(c in shown for c in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
    assert visible(shown) == shown
    for written in (html_text(text), markdown_text(text), csv_text(text), one_line(text)):
        written.encode("utf-8")
    escaped = html_text(text)
    assert not set('<>"') & set(escaped)


def test_visible_writes_codes() -> None:
    assert visible("a\x00b\x1b") == "a␀b␛"
    assert visible("a\u202eb") == "a⟨U+202E⟩b"
    assert visible("a\r\nb\tc") == "a\nb\tc"
    assert visible("\ud800").encode() == "⟨U+D800⟩".encode()


def test_clip_says_what_it_left_out() -> None:
    text = "h" * 1000 + "t" * 1000
    short = clip(text, 100)
    assert "1,900 characters left out" in short
    assert short.startswith("hhh")
    assert short.endswith("ttt")
    assert clip("abc", 3) == "abc"


@pytest.mark.parametrize(
    ("text", "cell"),
    [("=1+1", "'=1+1"), ("-5", "-5"), ("+3.5e2", "+3.5e2"), ("-x", "'-x"), ("@cmd", "'@cmd"), ("plain", "plain")],
)
def test_csv_text_is_no_formula(text: str, cell: str) -> None:
    assert csv_text(text) == cell


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("[1.2, −3.4]", "[1.2, −3.4]"),
        ("[1](javascript:alert(1))", "[1\\](javascript:alert(1))"),
        ("[x](y)", "\\[x\\](y)"),
        ("![1](y)", "\\![1\\](y)"),
        ("a|b_c*d", "a\\|b\\_c\\*d"),
        ("<b>", "\\<b\\>"),
    ],
)
def test_markdown_text_is_no_markup(text: str, written: str) -> None:
    assert markdown_text(text) == written


def test_slug_is_a_class_name() -> None:
    assert slug("base+hint") == "base-plus-hint"
    assert slug("<b>") == "b"
    assert slug("中") == "x"


def test_dates_and_json_are_plain(tmp_path: Path) -> None:
    make_hostile(tmp_path)
    write_report(tmp_path)
    json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
