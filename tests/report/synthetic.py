"""A made-up run folder for the report's tests: plausible texts and numbers that nobody measured.

Nothing here is a result. The folder has the same files as a real run, so that the report is tested against the
contract and not against its own inputs.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from selftaught.evals.paper import paper_figures
from selftaught.evals.records import (
    Check,
    ConditionRow,
    FamilyRow,
    FunnelRow,
    GridRow,
    Histogram,
    PairedRow,
    Provenance,
    ReportData,
    RunRef,
    SampleRef,
    ScalingRow,
    StageRow,
    ToolRow,
    TransitionRow,
)
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
    TestCase,
    ToolInfo,
    Trajectory,
)
from selftaught.store import write_json, write_records

CONDITIONS = ("base", "base+hint", "base-rft", "start-0", "start", "start+hint", "start-no-tools")
FAMILIES = {
    "hard": ("power_mod", "coin_ways", "digit_sum", "prime_count", "matrix_power", "lattice_paths"),
    "easy": ("add_two", "half_of", "which_larger"),
    "code": ("count_vowels", "second_largest"),
    "choice": ("unit_digit",),
}
SKILL = {
    "base": {"hard": 0.12, "easy": 0.93, "code": 0.3, "choice": 0.4},
    "base+hint": {"hard": 0.6, "easy": 0.85, "code": 0.52, "choice": 0.62},
    "base-rft": {"hard": 0.14, "easy": 0.95, "code": 0.31, "choice": 0.42},
    "start-0": {"hard": 0.71, "easy": 0.93, "code": 0.55, "choice": 0.75},
    "start": {"hard": 0.79, "easy": 0.94, "code": 0.61, "choice": 0.8},
    "start+hint": {"hard": 0.77, "easy": 0.93, "code": 0.6, "choice": 0.8},
    "start-no-tools": {"hard": 0.15, "easy": 0.92, "code": 0.33, "choice": 0.45},
}
CALLS = {
    "base": 0.004,
    "base+hint": 1.0,
    "base-rft": 0.01,
    "start-0": 0.84,
    "start": 0.82,
    "start+hint": 0.97,
    "start-no-tools": 0.0,
}


@dataclass
class MadeRun:
    """The folder and what was put into it."""

    folder: Path
    data: ReportData
    problems: list[Problem]
    trajectories: dict[str, list[Trajectory]]
    grades: dict[str, list[Grade]]


def _ids(text: str, rng: random.Random) -> list[int]:
    return [rng.randrange(2000) for _ in range(max(1, len(text) // 4))]


def _span(source: SpanSource, text: str, rng: random.Random, **more: object) -> Span:
    return Span(source=source, token_ids=_ids(text, rng), text=text, **more)  # type: ignore[arg-type]


def _problem(index: int, group: str, family: str, rng: random.Random) -> Problem:
    a, b, c = rng.randrange(3, 97), rng.randrange(20, 99), rng.randrange(11, 99)
    text = {
        "power_mod": f"What is the remainder when ${a}^{{{b}}}$ is divided by ${c}$?",
        "coin_ways": f"In how many ways can \\${a} be paid with coins of 1, 2, 5 and 10?",
        "digit_sum": f"Find the sum of the digits of $\\binom{{{b}}}{{{a % 9}}} \\cdot {c}^{{3}}$.",
        "prime_count": f"How many primes $p$ with ${a} \\le p \\le {a + b}$ are there?",
    }.get(family, f"Task {family.replace('_', ' ')}: work with {a}, {b} and {c}.")
    kind = {"code": ProblemKind.CODE, "choice": ProblemKind.CHOICE}.get(group, ProblemKind.MATH)
    fields: dict[str, object] = {"answer": str(pow(a, b, c))}
    if kind is ProblemKind.CODE:
        fields = {
            "tests": [TestCase(input="hello", output="2", public=True), TestCase(input="xyz", output="0")],
            "fn_name": None,
        }
        text = "Read a word from standard input and print how many vowels it has.\n\nSample input:\nhello\nSample output:\n2"
    if kind is ProblemKind.CHOICE:
        fields = {"answer": "B", "choices": [str(value) for value in (a % 10, b % 10, c % 10, 7)]}
    return Problem(
        id=f"test-{group}-{index:04d}", problem=f"{text}" + ("" if kind is ProblemKind.CODE else f" (variant {index})"), kind=kind,
        split="test", source="synthetic", metadata={"family": family, "group": group, "rendered": True}, **fields,
    )  # type: ignore[arg-type]  # fmt: skip


def _trajectory(
    problem: Problem, condition: str, right: bool, rng: random.Random, round_: int | None = None
) -> tuple[Trajectory, Grade]:
    answer = problem.answer or "2"
    said = answer if right else str(int(rng.randrange(100)))
    spans = [
        _span(
            SpanSource.PROMPT, f"<|im_start|>user\n{problem.problem}<|im_end|>\n<|im_start|>assistant\n<think>\n", rng
        )
    ]
    spans.append(
        _span(
            SpanSource.MODEL,
            "Let me think. The numbers are small, so I can try it by hand. First I square, then I reduce.\n\n"
            + "So the next step gives a value near 41, and the one after it 17. " * rng.randrange(1, 5)
            + "\n\n",
            rng,
        )
    )
    calls = rng.random() < CALLS[condition]
    if calls:
        code = "total = 0\nfor value in range(1, 12):\n    # add every square\n    total += value ** 2 % 7\nprint(total, 'ok')\n"
        if "hint" in condition:
            spans[-1] = _span(SpanSource.MODEL, spans[-1].text.rstrip() + "\n\nWait, ", rng)
            hint = HintInfo(
                id="complex_calculations.1", position=HintPosition.AFTER_WORD, trigger="Wait, ",
                reason="draw 0.31 < 0.5 after 'Wait' number 1 of 1", round=0,
            )  # fmt: skip
            text = "maybe I should let Python do this arithmetic instead of my head.\n```python\n"
            spans.append(_span(SpanSource.HINT, text, rng, hint=hint))
            spans.append(_span(SpanSource.MODEL, code + "```\n", rng))
        else:
            spans.append(_span(SpanSource.MODEL, "I will compute this with Python.\n```python\n" + code + "```\n", rng))
        for attempt in range(rng.choice((1, 1, 1, 2, 3))):
            bad = rng.random() < 0.14
            output = (
                "Traceback (most recent call last):\n  File \"<cell>\", line 3\nNameError: name 'totl' is not defined"
                if bad
                else f"{said} ok"
            )
            tool = ToolInfo(
                code=code,
                status=ExecStatus.ERROR if bad else ExecStatus.OK,
                output=output,
                wall_s=0.004 + rng.random() / 50,
                tier="full",
            )
            spans.append(_span(SpanSource.TOOL, f"```output\n{output}\n```\n", rng, tool=tool))
            if attempt == 0 and bad:
                spans.append(_span(SpanSource.MODEL, "That failed. I fix the name.\n```python\n" + code + "```\n", rng))
                tool = tool.model_copy(update={"status": ExecStatus.OK, "output": f"{said} ok"})
                spans.append(_span(SpanSource.TOOL, f"```output\n{said} ok\n```\n", rng, tool=tool))
    outcome, stop = (Outcome.CORRECT if right else Outcome.WRONG), StopReason.ANSWERED
    if not right and rng.random() < 0.3:
        outcome, stop = rng.choice(
            [
                (Outcome.NO_ANSWER, StopReason.ENDED_IN_THINKING),
                (Outcome.TRUNCATED, StopReason.MAX_TOKENS),
                (Outcome.TIMED_OUT, StopReason.TIMEOUT),
                (Outcome.ERROR, StopReason.ENGINE_ERROR),
            ]
        )
    extracted: str | None = said
    if outcome in (Outcome.CORRECT, Outcome.WRONG):
        if problem.kind is ProblemKind.CODE:
            tail = "</think>\n\n```python\nword = input()\nprint(sum(letter in 'aeiou' for letter in word))\n```\n<|im_end|>"
        else:
            tail = (
                "So the result is clear.\n</think>\n\nWe have $x^{2} \\equiv "
                + said
                + " \\pmod{7}$ and\n$$\\sum_{k=1}^{11} k^{2} = \\frac{11 \\cdot 12 \\cdot 23}{6}.$$\nThe answer is $\\boxed{"
                + said
                + "}$.<|im_end|>"
            )
        spans.append(_span(SpanSource.MODEL, tail, rng))
    else:
        extracted = None
        spans.append(_span(SpanSource.MODEL, "And then I take it again, and again, and so the step is", rng))
    trajectory = Trajectory(
        id=f"{problem.id}#0" + (f"@{round_}" if round_ is not None else ""), problem_id=problem.id, round=round_, seed=7, model="toy",
        condition=condition, spans=spans, stop_reason=stop, wall_s=0.4 + rng.random(), created_at="2026-11-20T12:00:00Z",
        error="engine gave up" if outcome is Outcome.ERROR else None,
    )  # fmt: skip
    grade = Grade(
        trajectory_id=trajectory.id, problem_id=problem.id, outcome=outcome, correct=right, extracted=extracted,
        path="integer" if extracted else "none", reason="equal integers" if right else "different integers", grader="selftaught 0.1",
    )  # fmt: skip
    return trajectory, grade


def _interval(share: float, n: int) -> tuple[float, float]:
    half = 1.96 * (max(share * (1 - share), 0.02) / max(n, 1)) ** 0.5
    return max(0.0, share - half), min(1.0, share + half)


def make_run(folder: Path, num_problems: int = 60, seed: int = 0) -> MadeRun:
    """Write a synthetic run of ``num_problems`` problems under each of START's conditions; return what it holds."""
    rng = random.Random(seed)
    plan = [(group, family) for group, families in FAMILIES.items() for family in families]
    problems = [_problem(index, *plan[index % len(plan)], rng) for index in range(num_problems)]
    write_records(folder / "problems" / "test.jsonl", problems)
    trajectories: dict[str, list[Trajectory]] = {}
    grades: dict[str, list[Grade]] = {}
    data = ReportData(title="synthetic run", created_at="2026-11-20T12:00:00Z")
    for condition in CONDITIONS:
        pairs = [_trajectory(p, condition, rng.random() < SKILL[condition][p.metadata["group"]], rng) for p in problems]
        trajectories[condition] = [pair[0] for pair in pairs]
        grades[condition] = [pair[1] for pair in pairs]
        place = f"eval/{condition}"
        write_records(folder / place / "trajectories.jsonl", trajectories[condition])
        write_records(folder / place / "grades.jsonl", grades[condition])
        data.runs.append(
            RunRef(
                condition=condition, benchmark="test", problems="problems/test.jsonl", trajectories=f"{place}/trajectories.jsonl",
                grades=f"{place}/grades.jsonl", num_trajectories=len(pairs), model="toy" if "base" in condition else f"checkpoints/{condition}",
            )
        )  # fmt: skip
    _fill(data, problems, trajectories, grades, rng)
    write_json(folder / "report.json", data.model_dump(mode="json"))
    return MadeRun(folder, data, problems, trajectories, grades)


def _fill(
    data: ReportData,
    problems: list[Problem],
    trajectories: dict[str, list[Trajectory]],
    grades: dict[str, list[Grade]],
    rng: random.Random,
) -> None:
    group_of = {problem.id: problem.metadata["group"] for problem in problems}
    for condition in CONDITIONS:
        for benchmark in ("all", "hard", "easy", "code", "choice"):
            pairs = [
                (t, g) for t, g in zip(trajectories[condition], grades[condition], strict=True)
                if benchmark in ("all", group_of[t.problem_id])
            ]  # fmt: skip
            if not pairs:
                continue
            n = len(pairs)
            share = sum(g.correct for _, g in pairs) / n
            counts = [len(t.tool_calls()) for t, _ in pairs]
            lengths = [sum(len(s.token_ids) for s in t.spans[1:]) for t, _ in pairs]
            outcomes = {outcome: sum(g.outcome is outcome for _, g in pairs) for outcome in Outcome}
            data.conditions.append(
                ConditionRow(
                    name=condition, benchmark=benchmark, n=n, k=1, pass_at_1=share, ci95=_interval(share, n), num_trajectories=n,
                    tool_call_rate=sum(count > 0 for count in counts) / n, tokens_mean=sum(lengths) / n, outcomes=outcomes,
                    pass_at_k={1: share}, tool_calls_mean=sum(counts) / n, seconds_mean=0.8, min_detectable_difference=0.06, decoding="greedy",
                )
            )  # fmt: skip
            base = next((row for row in data.conditions if row.name == "base" and row.benchmark == benchmark), None)
            if base is not None and condition != "base":
                diff = share - base.pass_at_1
                data.paired.append(
                    PairedRow(
                        a=condition,
                        b="base",
                        benchmark=benchmark,
                        diff=diff,
                        ci95=(diff - 0.04, diff + 0.04),
                        n=n,
                        p_value=0.0004,
                        test="mcnemar-exact",
                        min_detectable_difference=0.06,
                    )
                )
        statuses: dict[str, int] = {}
        for trajectory in trajectories[condition]:
            for call in trajectory.tool_calls():
                statuses[call.status.value] = statuses.get(call.status.value, 0) + 1
        with_call = [
            g.correct for t, g in zip(trajectories[condition], grades[condition], strict=True) if t.tool_calls()
        ]
        without = [
            g.correct for t, g in zip(trajectories[condition], grades[condition], strict=True) if not t.tool_calls()
        ]
        per: dict[int, int] = {}
        for trajectory in trajectories[condition]:
            per[len(trajectory.tool_calls())] = per.get(len(trajectory.tool_calls()), 0) + 1
        data.tools.append(
            ToolRow(
                condition=condition, benchmark="all", num_trajectories=len(problems), num_calls=sum(statuses.values()), statuses=statuses,
                calls_per_trajectory=per, accuracy_with_call=sum(with_call) / len(with_call) if with_call else None,
                accuracy_without_call=sum(without) / len(without) if without else None, num_with_call=len(with_call), seconds_total=3.2,
                error_types={"NameError": statuses.get("error", 0)}, modules={"math": 12, "itertools": 3},
            )
        )  # fmt: skip
        edges = [20.0 * index for index in range(21)]
        correct, wrong = [0] * 20, [0] * 20
        for t, g in zip(trajectories[condition], grades[condition], strict=True):
            slot = min(19, int(sum(len(s.token_ids) for s in t.spans[1:]) // 20))
            (correct if g.correct else wrong)[slot] += 1
        data.histograms.append(
            Histogram(condition=condition, benchmark="all", edges=edges, correct=correct, wrong=wrong)
        )
        for group, families in FAMILIES.items():
            for family in families:
                picked = [
                    g.correct
                    for p, g in zip(problems, grades[condition], strict=True)
                    if p.metadata["family"] == family
                ]
                if picked:
                    share = sum(picked) / len(picked)
                    data.families.append(
                        FamilyRow(
                            family=family,
                            group=group,
                            condition=condition,
                            n=len(picked),
                            pass_at_1=share,
                            ci95=_interval(share, len(picked)),
                            tool_call_rate=CALLS[condition],
                        )
                    )
        if condition != "base":
            before = {g.problem_id: g.correct for g in grades["base"]}
            after = {g.problem_id: g.correct for g in grades[condition]}
            fixed = [key for key in after if after[key] and not before[key]]
            broken = [key for key in after if before[key] and not after[key]]
            right = sum(before.values())
            data.transitions.append(
                TransitionRow(
                    a="base", b=condition, benchmark="all", n=len(after), wrong_to_right=len(fixed), right_to_wrong=len(broken),
                    right_to_right=right - len(broken), wrong_to_wrong=len(after) - right - len(fixed),
                    rate_wrong_to_right=len(fixed) / max(1, len(after) - right), rate_right_to_wrong=len(broken) / max(1, right),
                    fixed=fixed[:200], broken=broken[:200],
                )
            )  # fmt: skip
            if condition == "start":
                for why, keys in (("fixed", fixed), ("broken", broken)):
                    data.samples += [
                        SampleRef(
                            problem_id=key,
                            benchmark="test",
                            why=why,
                            trajectories={"base": f"{key}#0", "start": f"{key}#0"},
                        )
                        for key in keys[:4]
                    ]
    for model, start, step in (("base", 0.3, 0.09), ("start", 0.78, -0.004)):
        for round_ in range(5):
            share = min(0.99, start + step * round_ - (0.012 * round_**2 if model == "base" else 0))
            data.scaling.append(
                ScalingRow(
                    model=model,
                    round=round_,
                    pass_at_1=share,
                    tokens_mean=180 + 95 * round_ + (40 if model == "start" else 0),
                    n=len(problems),
                    ci95=_interval(share, 400),
                    tool_call_rate=min(1.0, 0.9 * round_),
                )
            )
    data.funnel = [
        FunnelRow(stage="d_seed", num_in=1200, num_kept=436, dropped={"wrong": 402, "greedy_right": 288, "failed_execution": 51, "repetitive": 14, "answer_before_call": 9}, modified={"output_placeholder": 31}),
        FunnelRow(stage="d_start", num_in=4800, num_kept=861, dropped={"wrong": 1210, "not_best": 2604, "failed_execution": 96, "repetitive": 29}),
        FunnelRow(stage="base-rft", num_in=2400, num_kept=402, dropped={"wrong": 1705, "not_best": 293}),
    ]  # fmt: skip
    data.stages = [
        StageRow(name=name, seconds=seconds, tokens=tokens)
        for name, seconds, tokens in (("rollout/base", 41.0, 210_000), ("rollout/base+hint", 66.0, 390_000), ("grade", 5.2, 0), ("curate/d_seed", 0.6, 0), ("train/start-0", 34.0, 180_000), ("eval", 148.0, 1_200_000))
    ]  # fmt: skip
    data.grid = [
        GridRow(
            problem_id=problem.id, benchmark="test", family=problem.metadata["family"], group=problem.metadata["group"],
            cells={condition: float(grades[condition][index].correct) for condition in CONDITIONS},
            outcomes={condition: grades[condition][index].outcome for condition in CONDITIONS},
        )
        for index, problem in enumerate(problems)
    ]  # fmt: skip
    data.checks = [
        Check(name="START beats the base", bar="≥ +40 points on all", measured="+44.1 [38.0, 50.2]", passed=True),
        Check(name="hints hurt START little", bar="within ±5 points", measured="−0.9", passed=True),
        Check(
            name="START on easy",
            bar="≥ base − 2 points",
            measured="−2.6",
            passed=False,
            note="one point of it is noise",
        ),
    ]
    data.ablations = [
        PairedRow(
            a=name,
            b="start",
            benchmark="all",
            diff=diff,
            ci95=(diff - 0.03, diff + 0.03),
            n=len(problems),
            p_value=0.01,
        )
        for name, diff in (
            ("no hints", -0.21),
            ("end hint only", -0.07),
            ("selection off", -0.014),
            ("two calls", 0.002),
            ("twelve calls", 0.05),
        )
    ]
    data.paper = list(paper_figures())
    data.notes = ["This run is synthetic: nobody measured these numbers."]
    data.provenance = Provenance(
        config_digest="d41d8cd9", seeds=[7], git_commit="0123abcd", git_dirty=False, versions={"python": "3.11.9", "torch": "2.13.0"},
        hardware={"cpu": "2 cores"}, models={"base": "toy"}, data={"test": "problems/test.jsonl sha256:…"}, grader="selftaught 0.1",
        sandbox_tier="full", settings={"seed": 7, "rollout": {"temperature": 0.0}},
    )  # fmt: skip
