"""Names in a recipe → problems, model folders, tokenizers."""

from __future__ import annotations

from pathlib import Path

from selftaught.pipeline.recipe import ProblemSource
from selftaught.records import Problem

DEFAULT_TOY_TOTAL = 400
"""Problems generated for ``toy-…`` when a recipe gives no number."""


def load_source(source: ProblemSource) -> list[Problem]:
    """The problems of one source. Several benchmarks, comma-separated, become groups of one set."""
    names = source.source.split(",")
    if len(names) > 1:
        return [problem for name in names for problem in _group(name.strip(), source.limit)]
    if source.source.startswith("toy-"):
        from selftaught.toy.problems import generate

        split = source.source.removeprefix("toy-")
        if source.counts:
            return generate(split, counts=source.counts, seed=source.seed)
        return generate(split, source.limit or DEFAULT_TOY_TOTAL, seed=source.seed)
    from selftaught.problems import load_problems

    return load_problems(source.source, source.limit)


def is_here(source: ProblemSource) -> bool:
    """Whether the problems can be loaded without the network: files, and the embedded reasoner's generator."""
    from selftaught.problems.registry import local_file

    names = [name.strip().partition("@")[0].partition(":")[0] for name in source.source.split(",")]
    return all(name.startswith("toy-") or Path(name).is_file() or local_file(name) for name in names)


def _group(name: str, limit: int | None) -> list[Problem]:
    """Problems of one benchmark among several: its name becomes their group, so that tables show it apart."""
    from selftaught.problems import load_problems, parse_benchmark

    group = parse_benchmark(name).name
    return [
        problem.model_copy(update={"metadata": {**problem.metadata, "group": group}})
        for problem in load_problems(name, limit)
    ]


def model_source(model: str) -> str:
    """A model as transformers takes it: a local folder (``toy`` and GGUF files resolved) or a hub id."""
    if model == "toy":
        from selftaught.toy import model_path

        return str(model_path())
    if model.lower().endswith(".gguf"):
        from selftaught.tokens import resolve_model

        return str(resolve_model(model))
    return model
