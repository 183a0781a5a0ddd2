"""From what somebody asks for, on the command line or in Python, to an `EvalRequest`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from selftaught.errors import ConfigError
from selftaught.evals.evaluate import EvalRequest, default_condition, default_out, evaluated
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
    named = {"reference": reference, "ablation_of": ablation_of}
    conditions: Sequence[tuple[str, RolloutSettings]] = ()
    missing: list[str] = []
    if recipe is not None:
        plan, folder = load_plan(recipe)
        conditions, missing = plan.resolve(model, settings, folder)
        reference, ablation_of = reference or plan.reference, ablation_of or plan.ablation_of
    where = out or default_out(f"{model}-{Path(recipe).stem}" if recipe else model, specs)
    _check_conditions(where, [one for one, _ in conditions] or [settings.condition], named, name)
    columns = (
        ",".join(f"{key}={column}" for key, column in mapping.items()) if isinstance(mapping, Mapping) else mapping
    )
    rules = (drop,) if isinstance(drop, str) else tuple(drop or ())
    request = EvalRequest(
        model, specs, where, settings, limit, scaling, reference, ablation_of, conditions, columns, rules
    )
    return request, missing


def _check_conditions(out: Path, asked: list[str], named: Mapping[str, str | None], name: Name) -> None:
    """ConfigError, before the work, for a condition that is neither evaluated now nor in the folder already."""
    if not any(named.values()):
        return
    there = [one for _, _, found in evaluated(out) for one in found]
    known = list(dict.fromkeys([*asked, *(text for one in there for text in (one.condition, one.tabled))]))
    for key, wanted in named.items():
        if wanted is not None and wanted not in known:
            near = get_close_matches(wanted, known, n=1)
            meant = f" Did you mean {near[0]}?" if near else ""
            raise ConfigError(f"{name(key)} is {wanted!r}; expected one of {', '.join(known)}.{meant}")


def _settings(model: str, given: Given, condition: str | None, several: bool, name: Name) -> RolloutSettings:
    manner = manner_before(model, given.get("tokenizer"))
    on_gpu = str(given.get("device", "cpu")) != "cpu"
    own = SEVERAL if several else {}
    settings = chosen(given, manner=manner, name=name, workers=0 if on_gpu else 2, **own)
    return settings.changed(condition=condition or default_condition(model, settings))
