"""What an evaluation hands to the report: one ``ReportData`` document, which is ``report.json``.

``trajectories.jsonl + grades.jsonl → evals → report.json → report → report.md, report.html, terminal``

Everything a table or plot shows stands here as a number; trajectories are referred to, never copied. Shares and rates
are fractions in [0, 1], differences are fractions in [-1, 1], times are seconds, tokens are counts. A value that does
not exist (pass@4 of two samples, tokens of a text-only run) is None, never NaN. Intervals are 95 %, clustered by
problem.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from pydantic import Field

from selftaught.evals.forked import UpliftTable
from selftaught.evals.loop import LOOP
from selftaught.records import Outcome, Record, utc_now

REPORT_SCHEMA_VERSION = 1
"""Raised when a field of ``report.json`` changes its meaning."""

Interval = tuple[float, float]
"""(low, high) of a 95 % interval."""

BENCHMARK_ORDER = ("all", "hard", "easy", "code", "choice")
"""Order of the slices of the embedded reasoner's test split."""


class ConditionRow(Record):
    """One condition on one benchmark: a row of the headline table.

    ``n`` problems with ``k`` samples each (the least number over the problems when they differ).
    """

    name: str
    benchmark: str
    n: int
    k: int
    pass_at_1: float
    """Mean over problems of the share of right samples: pass@1[avg-of-k]."""
    ci95: Interval
    tool_call_rate: float
    """Share of trajectories with at least one call of the interpreter."""
    tokens_mean: float
    """Mean tokens after the prompt: sampled, hinted and returned by the tool."""
    outcomes: dict[Outcome, int]
    """Trajectories by outcome; all six keys, zeros too; they add up to the number of trajectories."""
    num_trajectories: int = 0
    """Graded ones: all that this row counts."""
    num_ungraded: int = 0
    """Trajectories without a grade yet; this row does not count them."""
    pass_at_k: dict[int, float] = Field(default_factory=dict)
    """Unbiased estimate of pass@k for powers of two up to ``k``, and ``k`` itself."""
    maj_at_k: float | None = None
    """Share of problems whose most frequent answer among ``k`` is right (ties share); None at k = 1 and for code."""
    std_across_samples: float | None = None
    """Standard deviation of the whole benchmark's score from one sample index to the next: run-to-run spread, not the
    interval."""
    model_tokens_mean: float = 0.0
    thinking_tokens_mean: float = 0.0
    """Mean sampled tokens before the thinking closes."""
    tool_calls_mean: float = 0.0
    """Calls a trajectory."""
    hints_mean: float = 0.0
    """Hints a trajectory."""
    seconds_mean: float = 0.0
    min_detectable_difference: float | None = None
    """Smallest true difference from another condition that a paired test on this many problems finds four times in
    five."""
    decoding: str = ""
    """How it was sampled, in words: ``greedy`` or ``T 0.6, top-p 0.95``."""


class PairedRow(Record):
    """Difference of two conditions on the same problems: ``diff = pass@1(a) − pass@1(b)``."""

    a: str
    b: str
    benchmark: str
    diff: float
    ci95: Interval
    n: int = 0
    """Problems that both conditions answered."""
    p_value: float | None = None
    test: str = ""
    """``mcnemar-exact`` at one sample a problem, else ``paired-t``."""
    min_detectable_difference: float | None = None


class ScalingRow(Record):
    """One point of an accuracy-against-budget curve."""

    model: str
    round: int
    """End-of-thinking rounds, or the number of votes for ``majority``, or of forced continuations."""
    pass_at_1: float
    tokens_mean: float
    """Mean thinking tokens spent per problem (all votes together for ``majority``)."""
    method: str = "hints"
    """``hints`` (end-of-thinking hints) · ``budget_forcing`` ("Wait" without tools) · ``majority`` (votes)."""
    benchmark: str = "all"
    n: int = 0
    ci95: Interval | None = None
    seconds_mean: float | None = None
    tool_call_rate: float | None = None
    diff_from_first: float | None = None
    """Paired difference from this curve's first point."""
    diff_ci95: Interval | None = None


class TransitionRow(Record):
    """What became of each problem from condition ``a`` to ``b``.

    A problem counts as right when most of its samples are.
    """

    a: str
    b: str
    benchmark: str
    n: int
    wrong_to_right: int
    right_to_wrong: int
    right_to_right: int
    wrong_to_wrong: int
    rate_wrong_to_right: float | None = None
    """wrong_to_right over the problems wrong under ``a``; None without such problems (the paper: 33.0 %)."""
    rate_right_to_wrong: float | None = None
    """right_to_wrong over the problems right under ``a`` (the paper: 10.4 %)."""
    fixed: list[str] = Field(default_factory=list)
    """Ids of problems that became right, at most 200."""
    broken: list[str] = Field(default_factory=list)
    """Ids of problems that became wrong, at most 200."""


class FamilyRow(Record):
    """One condition on one family (a generator's family, a subject) of a benchmark."""

    family: str
    group: str = ""
    """hard · easy · code · choice, or empty."""
    benchmark: str = "all"
    condition: str
    n: int
    pass_at_1: float
    ci95: Interval
    tool_call_rate: float
    tokens_mean: float = 0.0


class ToolRow(Record):
    """How one condition used the interpreter on one benchmark."""

    condition: str
    benchmark: str
    num_trajectories: int
    num_calls: int
    statuses: dict[str, int]
    """Calls by ``ExecStatus`` value."""
    calls_per_trajectory: dict[int, int]
    """Trajectories by number of calls."""
    accuracy_with_call: float | None = None
    accuracy_without_call: float | None = None
    num_with_call: int = 0
    seconds_total: float = 0.0
    error_types: dict[str, int] = Field(default_factory=dict)
    """Python exception names in failed calls, by count, the twelve most frequent."""
    modules: dict[str, int] = Field(default_factory=dict)
    """Imported top-level modules, by number of calls that import them, the twelve most frequent."""


class Histogram(Record):
    """Tokens after the prompt, by verdict, for one condition on one benchmark."""

    condition: str
    benchmark: str
    edges: list[float]
    """Bin edges, one more than counts; the same for all conditions of a benchmark."""
    correct: list[int]
    wrong: list[int]
    """Every outcome other than correct."""


class FunnelRow(Record):
    """One step of curation: how many went in, were kept, and were dropped for which reason."""

    stage: str
    """``d_seed``, ``d_start``, ``base-rft``."""
    num_in: int
    num_kept: int
    dropped: dict[str, int] = Field(default_factory=dict)
    """Trajectories by ``DropReason`` value."""
    modified: dict[str, int] = Field(default_factory=dict)
    """Kept trajectories by modification rule."""


class StageRow(Record):
    """One stage of the pipeline."""

    name: str
    seconds: float
    tokens: int = 0
    """Tokens generated (rollouts) or trained on (training)."""
    detail: str = ""
    finished_at: str = ""
    """UTC time at which it ended, where that was kept."""


class TrainingPoint(Record):
    """One step of a training."""

    step: int
    loss: float
    learning_rate: float | None = None
    grad_norm: float | None = None


class TrainingCurve(Record):
    """Loss and learning rate of one training by step, thinned out to what a plot can show."""

    name: str
    """Name of the model that was trained: its folder's."""
    num_steps: int
    """Steps on record before thinning."""
    finished: bool
    """Whether the training reached its end."""
    points: list[TrainingPoint]


class GridRow(Record):
    """One problem across the conditions: a row of the problem × condition grid."""

    problem_id: str
    benchmark: str
    """Name of the benchmark file's whole, not of a slice."""
    family: str = ""
    group: str = ""
    cells: dict[str, float | None]
    """Condition → share of right samples; None where it was not run."""
    outcomes: dict[str, Outcome] = Field(default_factory=dict)
    """Condition → outcome of the first sample."""


class RunRef(Record):
    """Where the trajectories and grades of one condition on one benchmark lie, relative to ``report.json``'s folder."""

    condition: str
    benchmark: str
    problems: str
    trajectories: str
    grades: str
    num_trajectories: int
    num_ungraded: int = 0
    """Of them, those without a grade yet."""
    model: str = ""
    round: int | None = None
    """Set where only the trajectories that ended at this round belong to the condition."""


class SampleRef(Record):
    """One problem worth reading, with the trajectory to show of each condition."""

    problem_id: str
    benchmark: str
    why: str
    """``fixed``, ``broken``, ``hint helped``, ``tool error``, ``both wrong``, ``typical``, …"""
    trajectories: dict[str, str]
    """Condition → trajectory id."""


class PaperFigure(Record):
    """A published number to stand beside ours."""

    model: str
    """The paper's name of the model."""
    condition: str
    """The condition of ours that it corresponds to, or empty."""
    benchmark: str
    pass_at_1: float
    source: str
    """Where it is printed, e.g. ``arXiv 2503.04625, table 1``."""


class Check(Record):
    """A claim of START held against this run: what the paper shows, the bar, what was measured."""

    name: str
    bar: str
    measured: str
    passed: bool
    """Whether the verdict is ``met``."""
    note: str = ""
    verdict: str = ""
    """``met``, ``not met`` or ``too few``; empty in documents written before there were three."""

    @property
    def word(self) -> str:
        """The verdict, of older documents too."""
        return self.verdict or ("met" if self.passed else "not met")


class Provenance(Record):
    """What made these numbers. Every value is printable; secrets never get here."""

    config_digest: str = ""
    command: str = ""
    """Command line that made the run."""
    seeds: list[int] = Field(default_factory=list)
    git_commit: str = ""
    git_dirty: bool | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    """Package → version, ``python`` too."""
    hardware: dict[str, str] = Field(default_factory=dict)
    models: dict[str, str] = Field(default_factory=dict)
    """Condition → model path or name with a hash where known."""
    data: dict[str, str] = Field(default_factory=dict)
    """Benchmark → file and sha256."""
    licences: dict[str, str] = Field(default_factory=dict)
    """Benchmark → licence."""
    grader: str = ""
    sandbox_tier: str = ""
    settings: dict[str, Any] = Field(default_factory=dict)
    """The resolved configuration, as in ``run.json``."""


class ReportData(Record):
    """All that the report shows. ``report.json`` is this, indented."""

    schema_version: int = REPORT_SCHEMA_VERSION
    title: str = "selftaught"
    created_at: str = Field(default_factory=utc_now)
    conditions: list[ConditionRow] = Field(default_factory=list)
    paired: list[PairedRow] = Field(default_factory=list)
    scaling: list[ScalingRow] = Field(default_factory=list)
    funnel: list[FunnelRow] = Field(default_factory=list)
    stages: list[StageRow] = Field(default_factory=list)
    transitions: list[TransitionRow] = Field(default_factory=list)
    families: list[FamilyRow] = Field(default_factory=list)
    tools: list[ToolRow] = Field(default_factory=list)
    histograms: list[Histogram] = Field(default_factory=list)
    grid: list[GridRow] = Field(default_factory=list)
    ablations: list[PairedRow] = Field(default_factory=list)
    """Each ablation (``a``) against its reference (``b``)."""
    checks: list[Check] = Field(default_factory=list)
    paper: list[PaperFigure] = Field(default_factory=list)
    runs: list[RunRef] = Field(default_factory=list)
    samples: list[SampleRef] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    """Warnings to show at the top: small benchmark, dirty tree, missing condition, retries used."""
    provenance: Provenance = Field(default_factory=Provenance)
    reference: str = ""
    """The condition that others are compared with; empty in older documents."""
    training: list[TrainingCurve] = Field(default_factory=list)
    uplift: list[UpliftTable] = Field(default_factory=list)
    """One a probe: what each hint gains and loses."""
    wall_s: float | None = None
    """Seconds in which at least one stage or trajectory was under way: pauses do not count, overlap counts once."""
    unfinished: str = ""
    """What is still missing of a run that has not ended, in words; empty for a finished one."""
    gathered: bool = False
    """Whether ``selftaught report`` gathered it from a folder; it then looks again when the folder has changed."""

    def condition(self, name: str, benchmark: str) -> ConditionRow | None:
        """The headline row of one condition on one benchmark, or None."""
        return next((row for row in self.conditions if row.name == name and row.benchmark == benchmark), None)

    def compared_with(self) -> str:
        """The condition that others are compared with; in documents that name none, the one that most pairs name
        second.

        Empty where nothing was compared.
        """
        if self.reference in {row.b for row in self.paired}:
            return self.reference
        named = Counter(row.b for row in self.paired)
        if not named:
            return ""
        return LOOP.base if LOOP.base in named else named.most_common(1)[0][0]

    def against_reference(self, name: str, benchmark: str) -> PairedRow | None:
        """The paired difference of ``name`` from the reference on ``benchmark``."""
        reference = self.compared_with()
        return next((r for r in self.paired if (r.a, r.b, r.benchmark) == (name, reference, benchmark)), None)

    def benchmarks(self) -> list[str]:
        """Benchmarks in table order: the known slices first, then others as they came."""
        names = dict.fromkeys(row.benchmark for row in self.conditions)
        return [n for n in BENCHMARK_ORDER if n in names] + [n for n in names if n not in BENCHMARK_ORDER]

    def condition_names(self) -> list[str]:
        """Conditions in table order: START's first, then others as they came."""
        names = dict.fromkeys(row.name for row in self.conditions)
        return [n for n in LOOP.names if n in names] + [n for n in names if n not in LOOP.names]
