"""Names of problem sets: ``NAME|FILE|FOLDER|HUB-ID[@FROM..TO][:SAMPLES]`` taken apart, and files of
``$SELFTAUGHT_DATA``.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from selftaught.errors import ConfigError
from selftaught.problems.benchmarks import BENCHMARKS, Benchmark
from selftaught.problems.rows import SUFFIXES, kind_of

DATA_VARIABLE = "SELFTAUGHT_DATA"
"""Environment variable naming a folder of benchmark files."""

_SPEC = re.compile(
    r"(?P<source>.+?)(?:@(?P<start>\d{4}-\d{2}(?:-\d{2})?)\.\.(?P<end>\d{4}-\d{2}(?:-\d{2})?))?(?::(?P<samples>\d+))?"
)


@dataclass(frozen=True)
class BenchmarkSpec:
    """``aime24:16`` or ``livecodebench@2024-08-01..2024-11-30:4`` taken apart."""

    source: str
    """Path, hub id or name."""
    samples: int | None = None
    """Samples a problem; None leaves it to the settings."""
    date_from: str | None = None
    date_to: str | None = None
    """First and last day, ISO; a month alone means all of it."""

    @property
    def name(self) -> str:
        """Name in tables: the benchmark's, or the file's without its suffix; with its window where there is one."""
        stem = self.source
        if stem not in BENCHMARKS and not stem.startswith("toy"):
            path = Path(stem)
            stem = path.name.removesuffix(".gz").removesuffix(kind_of(path) or "")
        return f"{stem}@{self.date_from}..{self.date_to}" if self.date_from else stem


def parse_benchmark(text: str) -> BenchmarkSpec:
    """Take ``NAME|FILE[@FROM..TO][:SAMPLES]`` apart. ConfigError on zero samples or a reversed window."""
    match = _SPEC.fullmatch(text.strip())
    if not match:
        raise ConfigError(f"benchmark {text!r} cannot be read; expected NAME or FILE, then @FROM..TO, then :SAMPLES.")
    samples = match["samples"]
    if samples is not None and int(samples) < 1:
        raise ConfigError(f"benchmark {text!r} asks for {samples} samples; expected 1 or more.")
    if match["start"] and match["start"] > match["end"]:
        raise ConfigError(f"benchmark {text!r} has a window that ends before it starts.")
    return BenchmarkSpec(match["source"], int(samples) if samples else None, match["start"], match["end"])


def local_file(name: str) -> Path | None:
    """The benchmark's file in ``$SELFTAUGHT_DATA``, if there is one."""
    folder = os.environ.get(DATA_VARIABLE)
    endings = [ending for suffix in SUFFIXES for ending in (suffix, f"{suffix}.gz")]
    candidates = [Path(folder) / f"{name}{ending}" for ending in endings] if folder else []
    return next((path for path in candidates if path.is_file()), None)


__all__ = ["BENCHMARKS", "DATA_VARIABLE", "Benchmark", "BenchmarkSpec", "local_file", "parse_benchmark"]
