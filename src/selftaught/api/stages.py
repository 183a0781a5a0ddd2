"""The stages as functions: problems to trajectories, to a data set, to a model. Arguments are called as the command's options.

Each gives what the command prints with ``--json``, and works in a script, in a coroutine and in a notebook. Called again with
the same arguments, it goes on where it stopped. ``quiet`` shows no progress.
"""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from selftaught.api.background import without_loop
from selftaught.api.model import Model
from selftaught.api.notebook import shown
from selftaught.api.options import (
    Columns,
    Folder,
    Overrides,
    Rules,
    RunSettings,
    flat_keys,
    in_words,
    override_texts,
    path_or_none,
    query_or_none,
)
from selftaught.api.problems import Problems, load_problems
from selftaught.api.results import CurateResult, RolloutResult, TrainResult
from selftaught.progress import counted
from selftaught.rollouts import run_rollout
from selftaught.rollouts.defaults import for_rollout
from selftaught.rollouts.plain import plain_run


def rollout(
    problems: Problems,
    *,
    model: Folder | Model,
    out: Folder,
    condition: str | None = None,
    limit: int | None = None,
    map: Columns = None,
    drop: Rules = None,
    plain: Folder | None = None,
    plain_no_tools: bool = False,
    ray: int = 0,
    ray_address: str | None = None,
    quiet: bool = False,
    **settings: Unpack[RunSettings],
) -> RolloutResult:
    """Roll problems out with ``model`` into the folder ``out``; the same call goes on in it.

    Trajectories that end in an engine or sandbox error are counted in ``num_failed``; the same call does them again.
    ``plain``: a folder for the same run without hints, which shares every token up to the first hint.
    """
    name = model_name(model)
    chosen = for_rollout(flat_keys(settings), name, condition, name=in_words)
    loaded = load_problems(problems, limit, map=map, drop=drop)
    place = Path(out)
    beside = None
    if plain is not None or plain_no_tools:
        beside = plain_run(path_or_none(plain), chosen, no_tools=plain_no_tools, ray=ray)

    def work() -> RolloutResult:
        with shown(quiet) as show:
            if ray:
                from selftaught.pipeline.ray_rollout import summary_over_ray

                count = counted(show, "rollout")
                return RolloutResult.of(
                    summary_over_ray(loaded, name, place, chosen, workers=ray, address=ray_address, progress=count)
                )
            return RolloutResult.of(run_rollout(loaded, name, place, chosen, progress=show, plain=beside))

    return without_loop(work)


def curate(
    run: Folder,
    *,
    problems: Folder | None = None,
    map: Columns = None,
    drop: Rules = None,
    rule: str = "d_start",
    greedy: Folder | None = None,
    model: Folder | Model | None = None,
    out: Folder | None = None,
    tool_share: float = 1.0,
    allow_text_only: bool = False,
    max_kept: int | None = None,
    seed: int = 0,
    set: Overrides = None,
    contaminated: Folder | None = None,
    edits: Folder | None = None,
    quiet: bool = False,
) -> CurateResult:
    """Make a data set out of the graded trajectories of ``run``, in ``out`` or in ``run/curated``."""
    from selftaught.pipeline.curating import curate_folder, curate_settings

    settings = curate_settings(rule, tool_share, seed, max_kept, allow_text_only, override_texts(set))
    with shown(quiet) as show:
        made = curate_folder(
            Path(run),
            path_or_none(out),
            settings,
            problems=query_or_none(problems, map, drop),
            greedy=path_or_none(greedy),
            model=model_name(model) if model is not None else None,
            contaminated=path_or_none(contaminated),
            edits=path_or_none(edits),
            progress=show,
            tell=lambda _line: None,
        )
    return CurateResult.of(made.funnel, out=str(made.path), tokenizer=made.tokenizer)


def train(
    data: Folder,
    *,
    model: Folder | Model,
    out: Folder,
    config: Folder | None = None,
    round: str | None = None,
    learning_rate: float | None = None,
    epochs: float | None = None,
    global_batch_size: int | None = None,
    micro_batch_size: int | None = None,
    max_length: int | None = None,
    seed: int | None = None,
    report_to: str | None = None,
    set: Overrides = None,
    quiet: bool = False,
) -> TrainResult:
    """Fine-tune ``model`` on the data set ``data`` into the folder ``out``; a finished one gives its summary at once."""
    from selftaught.training.folder import plan_training

    given = {
        "learning_rate": learning_rate,
        "epochs": epochs,
        "global_batch_size": global_batch_size,
        "micro_batch_size": micro_batch_size,
        "max_length": max_length,
        "seed": seed,
        "report_to": report_to,
    }
    place = Path(out)
    plan = plan_training(
        Path(data),
        model_name(model),
        place,
        given,
        config=path_or_none(config),
        part=round,
        overrides=override_texts(set),
    )
    with shown(quiet) as show:
        if plan.defaults:
            named = ", ".join(f"{key} {value:g}" for key, value in plan.defaults.items())
            show.say(f"the embedded model's training settings where none are given: {named}")
        return TrainResult.of(plan.run(show), out=str(place))


def model_name(model: Folder | Model) -> str:
    """The name of a model, loaded or not."""
    return model.name if isinstance(model, Model) else str(model)
