"""A recipe whose first round learns its hint policy: what it probes, what it uses for the rest, and its control."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.curation.records import KeptRow
from selftaught.errors import ConfigError
from selftaught.hints.learned import read_learned
from selftaught.pipeline.figure import build_stages
from selftaught.pipeline.learning import sampled_tokens, split_pool, within_budget
from selftaught.pipeline.load import load_recipe
from selftaught.pipeline.perform import perform
from selftaught.pipeline.plan import make_plan
from selftaught.pipeline.stages import CurateStage, PolicyStage, ProbeStage, ProblemSet, RolloutStage, Stage, TrainStage
from selftaught.progress import silent
from selftaught.provenance import hashed_order
from selftaught.records import Grade, Problem, Trajectory
from selftaught.runs import RunFolder
from selftaught.runs.folders import RolloutFolder
from selftaught.store import read_jsonl
from selftaught.toy.problems import generate
from selftaught.uplift.records import Fork

SMALL = ["pool.limit=12", "test.limit=2", "pool.seed=3", "defaults.max_rows=14", "defaults.max_tokens=500"]
FIRST = ("problems", "round1/")


def first_round(folder: Path, name: str, *more: str) -> tuple[RunFolder, dict[str, str]]:
    """Everything up to D_seed, and what each stage said."""
    run, said = RunFolder(folder), {}
    for stage in build_stages(load_recipe(name, [*SMALL, *more])):
        if stage.name.startswith(FIRST) and not isinstance(stage, TrainStage):
            said[stage.name] = perform(run, stage, 1, silent).detail
    return run, said


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, dict[str, str]]:
    return first_round(tmp_path_factory.mktemp("learned"), "learned-hints")


def ids(path: Path) -> set[str]:
    return {problem.id for problem in read_jsonl(path, Problem)}


def asked(run: RunFolder, stage: str) -> set[str]:
    return {one.problem_id for one in read_jsonl(run.path / stage / "trajectories.jsonl", Trajectory)}


def kept(run: RunFolder, name: str) -> list[KeptRow]:
    return list(read_jsonl(run.path / "round1" / name / "kept.jsonl", KeptRow))


def test_one_part_is_probed_and_the_other_is_hinted(learned: tuple[RunFolder, dict[str, str]]) -> None:
    run, said = learned
    pool, probed, rest = (ids(one.file(run)) for one in (ProblemSet.POOL, ProblemSet.PROBED, ProblemSet.REST))
    assert probed | rest == pool and not probed & rest and len(probed) == round(0.3 * len(pool))
    assert asked(run, "round1/probe") == probed and f"{len(probed)} of the pool to probe" in said["problems"]
    assert asked(run, "round1/hinted") == asked(run, "round1/greedy") == rest
    assert asked(run, "round1/random") == asked(run, "round1/random-greedy") == pool


def test_too_few_pairs_give_the_papers_policy_and_say_so(learned: tuple[RunFolder, dict[str, str]]) -> None:
    run, said = learned
    policy = read_learned(run.path / "round1/policy/policy.json")
    assert policy.design == "paper" and "so this is the paper's policy" in said["round1/policy"]
    # Then it is random insertion by another name: the same trajectories on the same problems.
    hinted, random = (
        {one.id: one.token_ids() for one in read_jsonl(run.path / f"round1/{name}/trajectories.jsonl", Trajectory)}
        for name in ("hinted", "random")
    )
    assert hinted == {name: tokens for name, tokens in random.items() if name in hinted}


def test_rows_come_from_the_probe_too(learned: tuple[RunFolder, dict[str, str]]) -> None:
    run, _ = learned
    rows = kept(run, "d_learned")
    grades = {one.trajectory_id: one for one in read_jsonl(run.path / "round1/probe/grades.jsonl", Grade)}
    branches = [row for row in rows if row.source == "round1/probe" and row.facts.num_calls]
    assert branches and len({row.trajectory.problem_id for row in rows}) == len(rows)
    for row in branches:
        plain = row.trajectory.id.rpartition("@")[0]
        assert row.trajectory.is_branch() and grades[row.trajectory.id].correct and not grades[plain].correct


def test_the_control_has_the_same_budget_and_both_the_same_size(
    learned: tuple[RunFolder, dict[str, str]], tmp_path: Path
) -> None:
    run, said = learned
    budget = sum(sampled_tokens(run_folders(run, "probe", "hinted", "greedy")).values())
    tokens = sampled_tokens(run_folders(run, "random", "random-greedy"))
    taken = within_budget(tokens, budget)
    assert f"from {budget:,} sampled tokens" in said["round1/d_learned"]
    assert f"of {budget:,}, for {len(taken):,} of 12 problems" in said["round1/d_random"]
    assert {row.trajectory.problem_id for row in kept(run, "d_random")} <= taken
    size = min(len(kept(run, "d_learned")), len(kept(run, "d_random")))
    assert len(kept(run, "d_seed")) == size > 0
    assert {row.trajectory.id for row in kept(run, "d_seed")} <= {row.trajectory.id for row in kept(run, "d_learned")}
    other, _ = first_round(tmp_path, "random-insertion")
    assert [row.trajectory.id for row in kept(other, "d_random")] == [
        row.trajectory.id for row in kept(run, "d_random")
    ]
    assert len(kept(other, "d_seed")) == size
    assert {row.trajectory.id for row in kept(other, "d_seed")} <= {row.trajectory.id for row in kept(run, "d_random")}


def run_folders(run: RunFolder, *names: str) -> list[RolloutFolder]:
    return [RolloutFolder(run.path / "round1" / name) for name in names]


def content(run: RunFolder) -> dict[str, object]:
    """What must not depend on a kill: what each trajectory holds, each fork, the policy, each data set in its order."""
    found: dict[str, object] = {"policy": json.loads((run.path / "round1/policy/policy.json").read_text())}
    for path in sorted(run.path.glob("round1/*/trajectories.jsonl")):
        rows = list(read_jsonl(path, Trajectory))
        found[str(path.parent.name)] = {one.id: one.token_ids() for one in rows}
        assert len(rows) == len({one.id for one in rows}), f"{path} holds an id twice"
    found["forks"] = sorted(read_jsonl(run.path / "round1/probe/forks.jsonl", Fork), key=lambda fork: fork.id)
    for name in ("d_learned", "d_random", "d_seed"):
        found[name] = [(row.trajectory.id, row.trajectory.token_ids()) for row in kept(run, name)]
    return found


def test_a_killed_run_goes_on(learned: tuple[RunFolder, dict[str, str]], tmp_path: Path) -> None:
    """SIGKILL while the probe is under way, then the same command: the result of an unbroken run."""
    code = (
        "import sys; from pathlib import Path; from tests.pipeline.test_learning import first_round;"
        "first_round(Path(sys.argv[1]), 'learned-hints')"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=Path(__file__).parents[2])
    probe, deadline = tmp_path / "round1/probe/trajectories.jsonl", time.monotonic() + 300
    while process.poll() is None and time.monotonic() < deadline:
        if probe.is_file() and probe.read_bytes().count(b"\n") >= 3:
            break
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it was done before it could be killed"
    assert not (tmp_path / "round1/d_seed").exists()
    run, _ = first_round(tmp_path, "learned-hints")
    assert content(run) == content(learned[0])


def by_name(recipe: str, *changes: str) -> dict[str, Stage]:
    return {stage.name: stage for stage in build_stages(load_recipe(recipe, list(changes)))}


def test_the_stages_without_a_control() -> None:
    learn = ["seed_round.rollout.hints=learned", "seed_round.learn={share: 0.25, forks: 2, hints: [general, debug]}"]
    for fork in ("true", "false"):
        stages = by_name("demo", *learn, f"seed_round.fork={fork}")
        assert "round1/random" not in stages and "round1/d_learned" not in stages
        probe, policy, hinted = (stages[f"round1/{name}"] for name in ("probe", "policy", "hinted"))
        assert isinstance(probe, ProbeStage) and probe.learn.probe.most_branches == 4
        assert isinstance(policy, PolicyStage) and policy.need_names == ["round1/probe"]
        assert isinstance(hinted, RolloutStage) and hinted.policy == policy.ref and policy.ref in hinted.needs
        assert hinted.problems is ProblemSet.REST and (hinted.plain is None) == (fork == "false")
        seed, start = stages["round1/d_seed"], stages["round2/d_start"]
        assert isinstance(seed, CurateStage) and isinstance(start, CurateStage)
        taken = {one.name: (one.candidate, one.reference, one.text_only) for one in seed.inputs}
        assert taken["round1/probe"] == (True, True, False) and seed.at_most is None
        taken = {one.name: (one.candidate, one.reference, one.text_only) for one in start.inputs}
        assert taken["round1/probe"] == (True, True, True)


def test_both_recipes_share_their_first_rollouts() -> None:
    """So that a folder of one can be begun with those of the other."""
    learned, random = by_name("learned-hints"), by_name("random-insertion")
    assert list(learned) == list(random)
    different = {name for name, stage in learned.items() if stage.own_digest() != random[name].own_digest()}
    assert different == {"round1/d_seed", "round2/d_start"}


def test_the_policy_can_be_measured_on_the_test_problems() -> None:
    stages = by_name("learned-hints", "evaluate.conditions.base+hint.hints=learned")
    assert stages["round1/policy"].ref in stages["eval/base+hint"].needs
    assert stages["round1/policy"].ref not in stages["eval/start+hint"].needs


@pytest.mark.parametrize(
    ("recipe", "changes", "message"),
    [
        ("demo", ["seed_round.learn.share=0.2"], "seed_round.learn: expected only beside seed_round.rollout.hints: learned"),
        ("demo", ["evaluate.conditions.base+hint.hints=learned"], "eval/base.hint: hints is 'learned'; expected seed_round"),
        ("learned-hints", ["seed_round.learn.share=1"], "seed_round.learn.share"),
        ("learned-hints", ["seed_round.learn.shar=0.2"], "Did you mean share"),
        ("learned-hints", ["seed_round.learn.places=[middle]"], "seed_round.learn: places: middle; expected some of start"),
        ("learned-hints", ["seed_round.learn.hints=[nudge]"], "seed_round.learn: no hint 'nudge'"),
        ("learned-hints", ["seed_round.learn.random_insertion=yes"], "random_insertion"),
        ("learned-hints", ["seed_round.rollout.tools=false"], "seed_round.learn: a probe inserts hints that call Python"),
        ("learned-hints", ["seed_round.size_of=d_seed"], "both limit D_seed; drop one"),
        ("learned-hints", ["seed_round.fork=false", "ray={workers: 2}"], "expected no learned with ray"),
    ],
)  # fmt: skip
def test_mistakes_are_named_in_one_line(recipe: str, changes: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_recipe(recipe, changes)
    assert "\n" not in str(caught.value)


def test_a_pool_of_one_cannot_be_split(tmp_path: Path) -> None:
    problems = generate("dev", counts={"easy": 2}, seed=1)
    with pytest.raises(ConfigError, match="pool: 1 problems; hints: learned probes one part"):
        split_pool(RunFolder(tmp_path), problems[:1], 0.5)
    assert split_pool(RunFolder(tmp_path), problems, 0.001) == split_pool(RunFolder(tmp_path), problems, 0.999) == 1


@given(st.dictionaries(st.text(max_size=8), st.integers(0, 50), max_size=12), st.integers(0, 400))
def test_a_budget_takes_a_beginning_of_the_hashed_order(tokens: dict[str, int], budget: int) -> None:
    order = hashed_order(tokens, "budget")
    assert sorted(order) == sorted(tokens) and order == hashed_order(reversed(order), "budget")
    taken = within_budget(tokens, budget)
    assert taken == set(order[: len(taken)]) and sum(tokens[name] for name in taken) <= budget
    if len(taken) < len(order):
        assert sum(tokens[name] for name in taken) + tokens[order[len(taken)]] > budget


def test_the_plan_counts_what_is_probed() -> None:
    plan = make_plan(load_recipe("learned-hints", ["pool.limit=200"]))
    rows = {stage.name: stage for stage in plan.stages}
    each = load_recipe("learned-hints").estimates.tokens_per_rollout
    assert rows["round1/probe"].items == 60 * 3 and rows["round1/probe"].tokens == 60 * 2 * each
    assert rows["round1/hinted"].items == 140 and rows["round1/random"].items == 200
    assert plan.rollout_tokens == sum(stage.tokens for stage in plan.stages if stage.kind in ("rollout", "probe"))
    assert "round1/policy/policy.json" in rows["round1/policy"].files
