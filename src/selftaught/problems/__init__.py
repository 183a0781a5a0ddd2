"""Where problems come from: local files and folders, data sets and benchmarks of the hub, the embedded reasoner's
generator.

``ProblemQuery`` says which problems and how their rows are read; its ``load`` (or ``load_problems``) gives ``Problem``
records. ``render_question`` gives the user message.
"""

from __future__ import annotations

from selftaught.problems.load import file_digest, load_file, problems_digest
from selftaught.problems.query import LoadedProblems, ProblemQuery, load_problems
from selftaught.problems.registry import BENCHMARKS, Benchmark, BenchmarkSpec, parse_benchmark
from selftaught.problems.render import CHAT, messages_of, render_choices, render_question

__all__ = [
    "BENCHMARKS",
    "CHAT",
    "Benchmark",
    "BenchmarkSpec",
    "LoadedProblems",
    "ProblemQuery",
    "file_digest",
    "load_file",
    "load_problems",
    "messages_of",
    "parse_benchmark",
    "problems_digest",
    "render_choices",
    "render_question",
]
