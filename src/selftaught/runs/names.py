"""Every name of a run: its files, its stages and its conditions. The one place where they are spelled.

The three tables are looked up when a name is needed, so that a test can rename all of them and see that nothing else
depends on how they are spelled. Names that users see never change otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class FileNames:
    """Files and folders of a run, by what they hold."""

    record: str = "run.json"
    """What made the folder: `RunRecord`."""
    problems: str = "problems.jsonl"
    do_not_publish: str = "DO-NOT-PUBLISH"
    trajectories: str = "trajectories.jsonl"
    grades: str = "grades.jsonl"
    forks: str = "forks.jsonl"
    """Forks of one prefix with and without a hint: what ``hints probe`` writes."""
    policy: str = "policy.json"
    """A hint policy that was learned from forks."""
    failures: str = "failures.jsonl"
    """Trajectories that ended in an error and were done again."""
    rollout_stats: str = "rollout.json"
    """One summary an attempt."""
    kept: str = "kept.jsonl"
    dropped: str = "dropped.jsonl"
    funnel: str = "funnel.json"
    curated: str = "curated"
    """Folder of the data set, inside the folder that was curated."""
    export: str = "export"
    training: str = "training.json"
    """Summary of a finished training; its presence says that the model is complete."""
    manner: str = "selftaught.json"
    """How a model wants to be asked: in its folder."""
    metrics: str = "metrics.jsonl"
    weights: str = "model.safetensors"
    checkpoints: str = "checkpoints"
    job: str = "job.json"
    """What processes under a launcher are to train."""
    report_json: str = "report.json"
    report_markdown: str = "report.md"
    report_page: str = "report.html"
    report: str = "report"
    """Folder of the report's figures and tables."""
    inspect: str = "inspect"
    problem_folder: str = "problems"
    pool: str = "pool.jsonl"
    test: str = "test.jsonl"
    removed: str = "removed.jsonl"
    probed: str = "probed.jsonl"
    rest: str = "rest.jsonl"
    """The two parts of a pool of which one share is probed for hints."""
    markers: str = "stages"
    """Folder of the stages' done-markers."""
    logs: str = "logs"
    lock: str = ".writer.lock"
    """Held by whoever writes the folder."""
    grades_lock: str = ".grades.lock"
    """Held by whoever grades the folder: grading may go on beside a rollout."""
    hint_curve: str = ".rounds"
    """Ending of an evaluation folder that holds the curve over end-of-thinking hint rounds."""
    forcing_curve: str = ".forcing"
    """Ending of the folder with the curve of budget forcing ("Wait", no tools)."""


@dataclass
class StageNames:
    """Stages of a recipe: the folders of its parts, and what stands in each."""

    problems: str = "problems"
    seed_round: str = "round1"
    start_round: str = "round2"
    control: str = "control"
    evaluation: str = "eval"
    report: str = "report"
    grading: str = "grade"
    greedy: str = "greedy"
    hinted: str = "hinted"
    probe: str = "probe"
    policy: str = "policy"
    random: str = "random"
    """Hints by the paper's random insertion, beside those of a learned policy."""
    random_greedy: str = "random-greedy"
    sampled: str = "sampled"
    d_size: str = "d_size"
    d_seed: str = "d_seed"
    d_learned: str = "d_learned"
    d_random: str = "d_random"
    d_start: str = "d_start"
    d_rft: str = "d_rft"
    start_0_model: str = "start-0"
    start_model: str = "start"
    control_model: str = "base-rft"
    curve: str = "-rounds"
    """Ending of an evaluation's folder that records the end-of-thinking rounds."""


@dataclass
class ConditionNames:
    """Models of START's loop as tables name them, and how the other settings are added to the name."""

    base: str = "base"
    start_0: str = "start-0"
    start: str = "start"
    control: str = "base-rft"
    """The base trained on its own right answers without tools."""
    greedy: str = "greedy"
    """The base without tools on the pool, whose failures D_seed wants."""
    hints: str = "+hint"
    no_tools: str = "-no-tools"
    curve: str = " by rounds "
    """Stands between a condition and its curve in a report's list of files."""


FILES = FileNames()
STAGES = StageNames()
CONDITIONS = ConditionNames()
