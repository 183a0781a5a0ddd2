"""``selftaught infer "PROBLEM"``: one problem, streamed, with hints, code and output shown."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selftaught.cli.options import Given, flag, with_settings

if TYPE_CHECKING:
    from selftaught.cli.asked import Asked
    from selftaught.manner import Manner
    from selftaught.records import Grade, Problem, Trajectory
    from selftaught.rollouts import RolloutSettings
    from selftaught.rollouts.watching import Screen

ONE = ("samples", "record_rounds", "workers")
"""Settings of many trajectories."""


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command(name="infer")
    @with_settings(
        without=ONE, defaults={"hints": "the model's own, else auto", "max_rows": "1", "sandbox_workers": "1"}
    )
    def infer(
        given: Given,
        question: Annotated[
            str | None, typer.Argument(metavar="PROBLEM", help="The problem's text; - reads it from stdin.")
        ] = None,
        model: Annotated[
            str | None,
            typer.Option(help="Folder, hub id, `toy`, or http://…/v1. Default: toy; with --from, the run's."),
        ] = None,
        kind: Annotated[str | None, typer.Option(help="math, choice or code. Default: math, choice.")] = None,
        choices: Annotated[
            list[str] | None, typer.Option(help="Options of a choice problem: '70|87|9|47', or once for each.")
        ] = None,
        answer: Annotated[
            str | None, typer.Option(help="The right answer, to grade by; of a choice problem its letter or text.")
        ] = None,
        problem_id: Annotated[
            str | None, typer.Option("--problem", metavar="ID", help="Ask this problem of --from again.")
        ] = None,
        from_: Annotated[
            Path | None, typer.Option("--from", help="Run folder (its model and settings are taken) or problem file.")
        ] = None,
        raw: Annotated[
            bool, typer.Option("--raw", help="Ask in exactly these words, without a request for the answer's form.")
        ] = False,
        as_json: Annotated[
            bool, typer.Option("--json", help="Print the trajectory as one JSON document, and nothing else.")
        ] = False,
    ) -> None:
        """Solve one problem and show how: thinking, hint, code, its output, the answer.

        Examples: selftaught infer "What is the remainder when 7^2023 is divided by 1000?" · selftaught infer --problem p3 --from runs/mine
        """
        from selftaught.rollouts.checks import check_settings
        from selftaught.rollouts.defaults import for_infer
        from selftaught.rollouts.opening import manner_before

        asked = _asked(question, kind, choices or [], answer, problem_id, from_, raw)
        name = model or asked.model or "toy"
        manner = manner_before(name, given.get("tokenizer", asked.settings.get("tokenizer")))
        settings = for_infer(given, manner, asked.settings, name=flag)
        check_settings(settings, name)
        _notice(asked.problem, manner)
        screen = None if as_json else _screen(name, settings, asked.problem)
        from selftaught.rollouts.single import infer as infer_one

        trajectory = infer_one(asked.problem, name, settings, screen)
        _end(asked.problem, trajectory, screen)


def _asked(
    question: str | None,
    kind: str | None,
    choices: list[str],
    answer: str | None,
    problem_id: str | None,
    place: Path | None,
    raw: bool,
) -> Asked:
    from selftaught.cli.asked import replayed, typed
    from selftaught.errors import ConfigError

    if (problem_id is None) != (place is None):
        raise ConfigError("--problem ID and --from RUN go together; give both, or the problem's text.")
    if problem_id is not None and place is not None:
        if question is not None or kind or choices or answer or raw:
            raise ConfigError("--problem takes the problem as it stands in --from; leave its text and kind out.")
        return replayed(problem_id, place)
    if question is None:
        raise ConfigError("the problem is missing; give its text, - for stdin, or --problem ID --from RUN.")
    return typed(question, kind, choices, answer, raw=raw)


def _notice(problem: Problem, manner: Manner) -> None:
    """Say so when a model is asked what it was never made for."""
    from selftaught.rollouts.checks import outside_notice

    notice = outside_notice(problem, manner)
    if notice:
        print(f"notice: {notice} `selftaught toy problems test 20` prints some that it knows.", file=sys.stderr)


def _screen(model: str, settings: RolloutSettings, problem: Problem) -> Screen:
    from rich.console import Console

    from selftaught.rollouts.watching import Screen

    screen = Screen(Console(highlight=False))
    tools = "" if settings.tools.enabled else " · no tools"
    screen.begin(f"{model} · {problem.kind.value} · hints {settings.hints.policy}{tools}", problem.problem)
    return screen


def _end(problem: Problem, trajectory: Trajectory, screen: Screen | None) -> None:
    """The closing line, or the whole as JSON; IncompleteError when the engine or the sandbox failed."""
    from selftaught.errors import IncompleteError
    from selftaught.grading.final import final_answer
    from selftaught.records import ProblemKind

    is_code = problem.kind is ProblemKind.CODE
    answer = final_answer(problem, trajectory) if is_code else boxed_answer(trajectory.text_after_prompt())
    grade = _grade(problem, trajectory)
    if screen is None:
        document = {"problem": problem.problem, "answer": answer, "trajectory": json.loads(trajectory.to_json())}
        if grade is not None:
            document["grade"] = json.loads(grade.to_json())
        print(json.dumps(document, ensure_ascii=False))
    else:
        num_tokens = sum(len(span.token_ids) for span in trajectory.spans[1:])
        found = "no answer"
        if answer is not None:
            found = f"program of {len(answer.splitlines())} lines" if is_code else f"answer {answer}"
        if grade is not None:
            found += " · right" if grade.correct else f" · {_wrong(problem, grade)}"
        screen.finish(
            f"{found} · {trajectory.stop_reason.value} · {len(trajectory.hints())} hints · "
            f"{len(trajectory.tool_calls())} calls · {num_tokens} tokens · {trajectory.wall_s:.1f} s"
        )
    if trajectory.stop_reason.is_failure:
        raise IncompleteError(f"the rollout ended by {trajectory.stop_reason.value}: {trajectory.error}")


def _grade(problem: Problem, trajectory: Trajectory) -> Grade | None:
    """The grader's verdict where there is something to grade by."""
    if problem.answer is None and not problem.tests:
        return None
    from selftaught.grading.grader import grade_one

    return grade_one(problem, trajectory)


def _wrong(problem: Problem, grade: Grade) -> str:
    if problem.tests:
        return f"wrong ({grade.reason})" if grade.reason else "wrong"
    return f"wrong, expected {problem.answer}"


def boxed_answer(text: str) -> str | None:
    """What stands in the last ``\\boxed{…}`` after the thinking, for the closing line; grading has its own rules."""
    text = text.rpartition("</think>")[2]
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    depth, begin = 0, start + len("\\boxed{")
    for at in range(begin - 1, len(text)):
        depth += (text[at] == "{") - (text[at] == "}")
        if depth == 0:
            return text[begin:at].strip()
    return None
