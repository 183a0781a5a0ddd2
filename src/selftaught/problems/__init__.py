"""Where problems come from: local JSON Lines files, benchmarks of the hub, the embedded reasoner's generator.

``load_problems`` takes a path or a benchmark's name and gives ``Problem`` records; ``render_question`` gives the user message.
"""

from __future__ import annotations

from selftaught.problems.load import file_digest, load_file, problems_digest
from selftaught.problems.registry import BENCHMARKS, Benchmark, BenchmarkSpec, load_problems, parse_benchmark
from selftaught.problems.render import render_choices, render_question

__all__ = [
    "BENCHMARKS",
    "Benchmark",
    "BenchmarkSpec",
    "file_digest",
    "load_file",
    "load_problems",
    "parse_benchmark",
    "problems_digest",
    "render_choices",
    "render_question",
]
