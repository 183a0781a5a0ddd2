"""From what somebody asks for, on the command line or in Python, to an `EvalRequest`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from selftaught.evals.evaluate import EvalRequest, default_condition, default_out
from selftaught.evals.plan import load_plan
from selftaught.problems import parse_benchmark
from selftaught.rollouts.defaults import Given, Name, chosen
from selftaught.rollouts.opening import manner_before
from selftaught.rollouts.settings import RolloutSettings

SEVERAL = {"temperature": 0.6, "top_p": 0.95}
"""Sampling of several samples a problem, where the model's own manner has none."""


def eval_request(
    model: str,
    benchmarks: str | Sequence[str],
    given: Given,
    *,
    out: Path | None = None,
    condition: str | None = None,
    scaling: int = 0,
    limit: int | None = None,
    mapping: str | Mapping[str, str] | None = None,
    drop: str | Sequence[str] | None = None,
    reference: str | None = None,
    ablation_of: str | None = None,
    recipe: str | None = None,
    name: Name = str,
) -> tuple[EvalRequest, list[str]]:
    """The request, and the conditions of ``recipe`` that are left out since their model is not trained yet."""
    texts = benchmarks.split(",") if isinstance(benchmarks, str) else benchmarks
    specs = [parse_benchmark(text) for text in texts if text.strip()]
    several = max([int(given.get("samples", 1)), *(spec.samples or 1 for spec in specs)]) > 1
    settings = _settings(model, given, condition, several, name)
    conditions: Sequence[tuple[str, RolloutSettings]] = ()
    missing: list[str] = []
    if recipe is not None:
        plan, folder = load_plan(recipe)
        conditions, missing = plan.resolve(model, settings, folder)
        reference, ablation_of = reference or plan.reference, ablation_of or plan.ablation_of
    where = out or default_out(f"{model}-{Path(recipe).stem}" if recipe else model, specs)
    columns = (
        ",".join(f"{key}={column}" for key, column in mapping.items()) if isinstance(mapping, Mapping) else mapping
    )
    rules = (drop,) if isinstance(drop, str) else tuple(drop or ())
    request = EvalRequest(
        model, specs, where, settings, limit, scaling, reference, ablation_of, conditions, columns, rules
    )
    return request, missing


def _settings(model: str, given: Given, condition: str | None, several: bool, name: Name) -> RolloutSettings:
    manner = manner_before(model, given.get("tokenizer"))
    on_gpu = str(given.get("device", "cpu")) != "cpu"
    own = SEVERAL if several else {}
    settings = chosen(given, manner=manner, name=name, workers=0 if on_gpu else 2, **own)
    return settings.changed(condition=condition or default_condition(model, settings))
