"""Small probes whose uplifts are known, as pairs and as forks, for the tests of this folder."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np

from selftaught.records import ProblemKind, StopReason
from selftaught.uplift.records import NO_HINT, Features, Fork, ForkBranch, Place

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "uplift_world.py"


def benchmark() -> ModuleType:
    """``benchmarks/uplift_world.py`` as a module."""
    spec = importlib.util.spec_from_file_location("uplift_world", BENCHMARK)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def branch(arm: str, fork: str, correct: bool | None, tokens: int = 50, place: Place = Place.END) -> ForkBranch:
    """One branch; ``arm`` is ``none`` or a hint's function."""
    hinted = arm != NO_HINT
    return ForkBranch(
        arm=f"{arm}/en/0" if hinted else NO_HINT,
        function=arm if hinted else None,
        place=place,
        trajectory_id=f"{fork}:{arm}",
        correct=correct,
        stop_reason=StopReason.ANSWERED,
        sampled_tokens=tokens,
        total_tokens=100 + tokens,
        calls=int(hinted),
        accepted=bool(correct) if hinted else None,
    )


def fork(
    problem: str,
    plain: bool | None,
    hinted: dict[str, bool | None],
    *,
    place: Place = Place.END,
    kind: ProblemKind = ProblemKind.MATH,
    probability: float = 1.0,
    features: Features | None = None,
    number: int = 0,
    difficulty: str | None = None,
    prefix: int = 100,
) -> Fork:
    """One fork with its plain branch (50 tokens) and its hinted ones (80 tokens)."""
    name = f"{problem}#0@{number}"
    arms = [branch(arm, name, right, 80, place) for arm, right in hinted.items()]
    return Fork(
        id=name,
        problem_id=problem,
        kind=kind,
        difficulty=difficulty,
        model="toy",
        place=place,
        token=prefix,
        probability=probability,
        prefix_tokens=prefix,
        features=features or {},
        branches=[branch(NO_HINT, name, plain, place=place), *arms],
    )


def probe(size: int = 300, *, by_feature: bool = False, seed: int = 0) -> list[Fork]:
    """A probe of ``size`` problems at the end of the thinking: ``good`` gains 20 % and ``bad`` loses 20 %.

    With ``by_feature`` ``good`` gains 60 % where ``entropy`` is above 1 and loses 20 % elsewhere.
    """
    rng = np.random.default_rng(seed)
    made = []
    for index in range(size):
        entropy = float(rng.uniform(0, 2))
        plain = bool(rng.random() < 0.4)
        helps, harms = (0.33, 0.0) if not by_feature else (1.0, 0.0) if entropy > 1 else (0.0, 0.5)
        good = bool(rng.random() < helps) if not plain else bool(rng.random() >= harms)
        bad = plain and bool(rng.random() < 0.5)
        features: Features = {"entropy": entropy, "noise": float(rng.random())}
        made.append(fork(f"p{index}", plain, {"good": good, "bad": bad}, features=features))
    return made
