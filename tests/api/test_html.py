"""How results show themselves: everything escaped, both colour schemes, no script."""

from __future__ import annotations

from selftaught.api.html import progress_html, record_html, table_html
from selftaught.api.results import GradeResult
from selftaught.api.solution import Solution
from selftaught.progress import Progress
from selftaught.records import (
    ExecStatus,
    Grade,
    HintInfo,
    HintPosition,
    Outcome,
    Problem,
    ProblemKind,
    Span,
    SpanSource,
    StopReason,
    ToolInfo,
    Trajectory,
)
from selftaught.report.tables import Table

EVIL = "</pre><script>alert(1)</script><img src=x onerror=alert(1)> \" ' \u202e"


def solution(text: str) -> Solution:
    problem = Problem(id="p", problem=text, kind=ProblemKind.MATH, answer=text)
    tool = ToolInfo(code=text, status=ExecStatus.OK, output=text, wall_s=1)
    hint = HintInfo(id=text, position=HintPosition.AFTER_WORD, reason=text)
    spans = [
        Span(source=SpanSource.PROMPT, token_ids=[1], text=text),
        Span(source=SpanSource.MODEL, token_ids=[2], text=text),
        Span(source=SpanSource.HINT, token_ids=[3], text=text, hint=hint),
        Span(source=SpanSource.TOOL, token_ids=[4], text=text, tool=tool),
        Span(source=SpanSource.MODEL, token_ids=[5], text=f"</think>\\boxed{{{text}}}"),
    ]
    trajectory = Trajectory(id="p#0", problem_id="p", spans=spans, stop_reason=StopReason.ANSWERED)
    grade = Grade(trajectory_id="p#0", problem_id="p", outcome=Outcome.WRONG, correct=False, path="string")
    return Solution.of(trajectory, problem, grade)


def harmless(page: str) -> bool:
    return "<script" not in page and "<img" not in page and "\u202e" not in page


def test_nothing_that_a_model_wrote_is_markup() -> None:
    page = solution(EVIL)._repr_html_()
    assert harmless(page) and page.count("&lt;script&gt;") >= 6
    assert 'title="hint &lt;/pre&gt;' in page
    result = GradeResult(
        folder=EVIL, trajectories="", grades="", new=1, total=1, ungraded=0, accuracy=1, outcomes={EVIL: 1}, paths={}
    )
    table = Table(EVIL, [EVIL, "n"], [[EVIL, "1"]], note=EVIL)
    assert harmless(record_html(result)) and harmless(table_html(table))
    assert harmless(progress_html([Progress(EVIL, 1, 2)], [EVIL]))


def test_light_and_dark_and_no_request() -> None:
    page = solution("7")._repr_html_()
    assert "prefers-color-scheme:dark" in page and "http" not in page and "<link" not in page
    assert 'class="bad"' in page and "answer 7 · wrong, expected 7" in page


def test_a_bar_shows_how_far_it_is() -> None:
    page = progress_html([Progress("rollout", 3, 12), Progress("loading")], ["done"])
    assert (
        '<progress value="3" max="12"></progress> rollout · 3/12' in page and "<progress ></progress> loading" in page
    )
