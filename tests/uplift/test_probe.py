"""A probe: every branch is what a rollout of its own would be, prefixes are sampled once, a kill loses nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.conftest import RunCli

from selftaught.errors import ConfigError
from selftaught.evals.rows import read_rows
from selftaught.hints import load_library
from selftaught.hints.features import Situation, trigger_features
from selftaught.hints.probing import PlacePolicy, Target
from selftaught.records import HintPosition, Problem, ProblemKind, SpanSource, Trajectory
from selftaught.rollouts import RolloutSettings
from selftaught.rollouts.loop import Rollout
from selftaught.rollouts.opening import manner_of, open_engine, open_sandbox
from selftaught.rollouts.probe_settings import ProbeSettings, incomplete_samples
from selftaught.rollouts.probing import choose_visits, num_drawn_before, shuffled
from selftaught.rollouts.replay import Did, steps_of
from selftaught.rollouts.tools import ToolBox
from selftaught.rollouts.verify_folder import verify_folder
from selftaught.runs.folders import RolloutFolder
from selftaught.store import read_jsonl
from selftaught.toy.problems import generate
from selftaught.uplift.probe import ProbeSummary, check_probe, run_probe
from selftaught.uplift.records import NO_HINT, Fork

SETTINGS = RolloutSettings(
    max_tokens=400, max_rows=16, preload=(), dtype="float32", temperature=0.7, condition="probe", tool_timeout_s=5.0
)
PROBE = ProbeSettings(places=("start", "paragraph", "word", "conclusion", "end"), forks=2, hints_each=2)


@pytest.fixture(scope="module")
def few() -> list[Problem]:
    return generate("dev", counts={"easy": 2, "hard": 1, "code": 1}, seed=11)


@pytest.fixture(scope="module")
def probed(few: list[Problem], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ProbeSummary]:
    out = tmp_path_factory.mktemp("probe")
    return out, run_probe(few, "toy", out, SETTINGS, PROBE)


def trajectories(folder: Path) -> dict[str, Trajectory]:
    return {one.id: one for one in read_jsonl(folder / "trajectories.jsonl", Trajectory)}


def forks(folder: Path) -> list[Fork]:
    return list(read_jsonl(RolloutFolder(folder).forks, Fork))


def test_the_folder_holds_whole_forks(probed: tuple[Path, ProbeSummary], few: list[Problem]) -> None:
    folder, summary = probed
    found, all_ = forks(folder), trajectories(folder)
    assert verify_folder(folder)
    assert len({fork.id for fork in found}) == len(found) == summary.num_forks > len(few)
    assert len(all_) == len(few) + sum(len(fork.hinted) for fork in found)
    for fork in found:
        assert 0 < fork.probability <= 1 and len(fork.branches) == 3
        assert fork.plain is not None and fork.plain.arm == NO_HINT
        plain = all_[fork.plain.trajectory_id]
        assert plain.hints() == [] and plain.shared_tokens is None
        assert fork.plain.sampled_tokens == plain.num_sampled() - fork.prefix_tokens
        for branch in fork.hinted:
            one = all_[branch.trajectory_id]
            assert [hint.id for hint in one.hints()] == [branch.arm]
            assert branch.arm.startswith(f"{branch.function}/") and branch.place is fork.place
            assert one.shared_tokens == fork.prefix_tokens
            assert branch.sampled_tokens == one.num_sampled() - fork.prefix_tokens
            assert branch.calls == len(one.tool_calls()) - fork.features["calls"]
            prefix = prefix_ids(one)
            assert plain.token_ids()[: len(prefix)] == prefix
    apart = sum(one.num_sampled() for one in all_.values())
    assert summary.tokens_apart == apart > summary.sampled_tokens
    assert summary.rollout is not None and summary.rollout.model_tokens == summary.sampled_tokens


def test_a_report_counts_the_trajectories_without_hints_alone(
    probed: tuple[Path, ProbeSummary], few: list[Problem]
) -> None:
    folder = RolloutFolder(probed[0])
    rows = list(read_rows(folder.trajectories, folder.grades))
    assert [row.num_hints for row in rows] == [0] * len(few)
    assert {row.problem_id for row in rows} == {problem.id for problem in few}


def prefix_ids(branch: Trajectory) -> list[int]:
    """Everything up to the hint, with what the hint took back."""
    ids: list[int] = []
    for span in branch.spans:
        if span.hint is not None:
            return [*ids, *span.hint.discarded_ids]
        ids += span.token_ids
    raise AssertionError(f"{branch.id} has no hint")


def test_features_come_out_again_from_the_trajectory(probed: tuple[Path, ProbeSummary], few: list[Problem]) -> None:
    folder, _ = probed
    all_, problems = trajectories(folder), {problem.id: problem for problem in few}
    for fork in forks(folder):
        branch = all_[fork.hinted[0].trajectory_id]
        at = next(index for index, span in enumerate(branch.spans) if span.hint is not None)
        before = branch.spans[1:at]
        calls = [span.tool for span in before if span.tool is not None]
        hint = branch.spans[at].hint
        assert hint is not None
        taken_back = "".join(span.text for span in before)
        if hint.position is HintPosition.BEFORE_LINE:
            plain = all_[f"{branch.problem_id}#0"].text_after_prompt()
            taken_back = plain[: len(taken_back) + len(codec_text(branch, hint.discarded_ids))]
        again = trigger_features(
            problems[fork.problem_id],
            Situation(
                fork.place.value,
                taken_back,
                fork.token,
                int(SETTINGS.sampling.max_tokens),
                len(calls),
                SETTINGS.tools.max_tool_calls - len(calls),
                None if not calls else calls[-1].status.value == "ok" and bool(calls[-1].output.strip()),
            ),
        )
        assert again == fork.features


def codec_text(branch: Trajectory, ids: list[int]) -> str:
    from selftaught.tokens import Codec, resolve_model

    return Codec(Path(resolve_model("toy"))).decode(ids)


def test_a_branch_is_what_its_own_rollout_gives(probed: tuple[Path, ProbeSummary], few: list[Problem]) -> None:
    """At a temperature above 0, from the first token on, with nothing replayed."""
    folder, _ = probed
    all_, by_id = trajectories(folder), {problem.id: problem for problem in few}

    async def again() -> list[tuple[list[int], list[int]]]:
        engine = open_engine(SETTINGS, "toy")
        manner = manner_of(engine)
        from selftaught.problems import render_question

        pairs = []
        async with open_sandbox(SETTINGS, "toy") as sandbox:
            tools = ToolBox(sandbox, SETTINGS)
            rollout = Rollout(
                engine, SETTINGS, load_library(), "none", tools, lambda one: render_question(one, manner), print
            )
            for fork in forks(folder):
                problem, known = by_id[fork.problem_id], list(PROBE.places)
                if problem.kind is ProblemKind.CODE:
                    known.remove("conclusion")
                scout = PlacePolicy(rollout.library, problem, known)
                state, sequence = rollout.begin(problem, scout), rollout.open(problem, 0)
                await rollout.play(state, sequence, 1e18)
                sequence.close()
                number = next(
                    index
                    for index, visit in enumerate(scout.visits)
                    if (visit.place, visit.token) == (fork.place.value, fork.token)
                )
                branch = all_[fork.hinted[-1].trajectory_id]
                target = Target(number, fork.hinted[-1].function or "", "")
                state = rollout.begin(problem, PlacePolicy(rollout.library, problem, known, target=target))
                sequence = rollout.open(problem, 0)
                await rollout.play(state, sequence, 1e18)
                sequence.close()
                pairs.append((branch.token_ids(), [one for span in state.spans() for one in span.token_ids]))
        await engine.aclose()
        return pairs

    found = asyncio.run(again())
    assert found and all(recorded == apart for recorded, apart in found)


def test_it_resumes_without_loss(probed: tuple[Path, ProbeSummary], few: list[Problem], tmp_path: Path) -> None:
    folder, whole = probed
    for name in ("run.json", "problems.jsonl"):
        (tmp_path / name).write_text((folder / name).read_text())
    lines = (folder / "trajectories.jsonl").read_text().splitlines(keepends=True)
    last = next(index for index, line in enumerate(lines) if Trajectory.model_validate_json(line).shared_tokens is None)
    # The first sample is whole but for one branch, the second one is half there, one line is torn.
    (tmp_path / "trajectories.jsonl").write_text("".join(lines[1 : last + 3]) + lines[last + 3][:50])
    again = run_probe(few, "toy", tmp_path, SETTINGS, PROBE)
    after = list(read_jsonl(tmp_path / "trajectories.jsonl", Trajectory))
    before = trajectories(folder)
    assert sorted(one.id for one in after) == sorted(before)
    assert all(one.token_ids() == before[one.id].token_ids() for one in after)
    assert sorted(forks(tmp_path), key=lambda fork: fork.id) == sorted(forks(folder), key=lambda fork: fork.id)
    assert again.sampled_tokens == whole.sampled_tokens
    with pytest.raises(ConfigError, match="probe.forks is 2; here it is 1"):
        run_probe(few, "toy", tmp_path, SETTINGS, PROBE.model_copy(update={"forks": 1}))


def test_a_branch_that_failed_is_made_again(probed: tuple[Path, ProbeSummary]) -> None:
    all_ = list(trajectories(probed[0]).values())
    assert incomplete_samples(all_) == set()
    branch = next(one for one in all_ if one.shared_tokens is not None)
    assert incomplete_samples(one for one in all_ if one is not branch) == {(branch.problem_id, 0)}


@pytest.mark.parametrize(
    ("settings", "probe", "message"),
    [
        ({"tools": False}, {}, "expected tools"),
        ({}, {"places": ("nowhere",)}, "places: nowhere; expected some of start"),
        ({}, {"hints": ("nothing",)}, "no hint 'nothing'; expected some of complex_calculations"),
    ],
)
def test_what_cannot_be_probed_is_refused(settings: dict[str, object], probe: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_probe(RolloutSettings(**settings), ProbeSettings(**probe))


def test_visits_are_chosen_with_the_probability_that_is_recorded() -> None:
    from selftaught.hints.probing import Visit

    visits = [Visit("word", 1, {}), Visit("word", 2, {}), Visit("end", 9, {}), Visit("paragraph", 4, {})]
    counts = dict.fromkeys(range(len(visits)), 0)
    told: dict[int, float] = {}
    for number in range(4000):
        for index, probability in choose_visits(visits, 2, f"p{number}"):
            counts[index] += 1
            told[index] = probability
    assert told == {0: 1 / 3, 1: 1 / 3, 2: 2 / 3, 3: 2 / 3}
    assert all(abs(counts[index] / 4000 - told[index]) < 0.03 for index in told)
    assert choose_visits([], 2, "p") == []
    assert len(choose_visits(visits, 6, "p")) == 3
    assert sorted(shuffled(["a", "b", "c"], "k")) == ["a", "b", "c"]


def test_tokens_before_a_place() -> None:
    steps = [(Did.PUT, 1), (Did.PUT, 2), (Did.DREW, 3), (Did.DREW, 4), (Did.TOOK_BACK, 4), (Did.PUT, 5), (Did.DREW, 6)]
    assert [num_drawn_before(steps, token) for token in range(5)] == [0, 1, 2, 2, 3]
    assert steps_of([]) == []


def test_the_command(tmp_path: Path, run_cli: RunCli) -> None:
    from selftaught.store import write_records

    write_records(tmp_path / "p.jsonl", generate("dev", counts={"easy": 1}, seed=3))
    options = ("--model", "toy", "--workers", "0", "--max-tokens", "300", "--dtype", "float32", "--places", "end")
    done = run_cli("hints", "probe", tmp_path / "p.jsonl", *options, "--try", "general", "--out", tmp_path / "run")
    assert done.exit_code == 0, done.stderr
    assert "1 trajectories, 1 branches with a hint, 1 forks (end 1)" in done.stderr
    assert "each branch by itself" in done.stderr and f"hints uplift {tmp_path / 'run'}" in done.stderr
    assert [hint.id.split("/")[0] for one in trajectories(tmp_path / "run").values() for hint in one.hints()] == [
        "general"
    ]
    assert run_cli("verify", tmp_path / "run").exit_code == 0
    assert run_cli("hints", "uplift", tmp_path / "run").exit_code == 0
    bad = run_cli("hints", "probe", tmp_path / "p.jsonl", *options[:-1], "home", "--out", tmp_path / "run")
    assert bad.exit_code == 2 and "places: home" in bad.stderr
    assert any(span.source is SpanSource.HINT for one in trajectories(tmp_path / "run").values() for span in one.spans)


def test_a_served_model_is_probed_alike(tmp_path: Path) -> None:
    """Greedy, over HTTP by token ids: the forks of the local engine, and the server reads no prefix twice for a place."""
    from tests.engines.loopback import Thread
    from tests.engines.small_server import SmallServer

    from selftaught.engines.local import LocalEngine
    from selftaught.tokens import resolve_model

    root = str(resolve_model("toy"))
    server = SmallServer(LocalEngine(Path(root), dtype="float32", max_rows=8), root, chunk=8)
    thread = Thread(server)
    few = generate("dev", counts={"easy": 1}, seed=3)
    settings = SETTINGS.changed(temperature=0.0, logprobs="triggers")
    chosen = ProbeSettings(places=("conclusion", "end"), hints=("general",))
    try:
        run_probe(few, server.url, tmp_path / "served", settings.changed(tokenizer=root), chosen)
    finally:
        thread.stop()
    run_probe(few, "toy", tmp_path / "local", settings, chosen)
    for one, other in zip(forks(tmp_path / "served"), forks(tmp_path / "local"), strict=True):
        assert one.branches == other.branches and (one.place, one.token) == (other.place, other.token)
        assert one.features["logprob"] == pytest.approx(other.features["logprob"], abs=1e-3)
    assert verify_folder(tmp_path / "served")
