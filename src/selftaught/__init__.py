"""selftaught: the open START. A reasoner that teaches itself to use Python (arXiv 2503.04625).

``import selftaught as st`` gives the names below (``docs/python.md``). Each is imported when it is first used, so that
the import itself costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from selftaught.version import __version__

if TYPE_CHECKING:
    from selftaught.api.evaluating import compare, evaluate, report, verify
    from selftaught.api.grading import grade, grade_run
    from selftaught.api.hub import push
    from selftaught.api.model import Model, Stream, load
    from selftaught.api.problems import load_problems, load_trajectories
    from selftaught.api.recipes import demo, run
    from selftaught.api.solution import Solution
    from selftaught.api.stages import curate, rollout, train
    from selftaught.errors import ConfigError, DataError, EngineError, MissingPartError, SandboxError, SelftaughtError
    from selftaught.records import Problem, ProblemKind, StopReason, Trajectory
    from selftaught.sandbox import Sandbox, SandboxSettings

__all__ = [
    "ConfigError",
    "DataError",
    "EngineError",
    "MissingPartError",
    "Model",
    "Problem",
    "ProblemKind",
    "Sandbox",
    "SandboxError",
    "SandboxSettings",
    "SelftaughtError",
    "Solution",
    "StopReason",
    "Stream",
    "Trajectory",
    "__version__",
    "compare",
    "curate",
    "demo",
    "evaluate",
    "grade",
    "grade_run",
    "load",
    "load_problems",
    "load_trajectories",
    "push",
    "report",
    "rollout",
    "run",
    "train",
    "verify",
]

_HOMES = {
    "api.evaluating": "compare evaluate verify",
    "api.grading": "grade grade_run",
    "api.hub": "push",
    "api.model": "Model Stream load",
    "api.problems": "load_problems load_trajectories",
    "api.recipes": "demo run",
    "api.solution": "Solution",
    "api.stages": "curate rollout train",
    "errors": "ConfigError DataError EngineError MissingPartError SandboxError SelftaughtError",
    "records": "Problem ProblemKind StopReason Trajectory",
    "sandbox": "Sandbox SandboxSettings",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}
"""Name → the module that it is imported from."""


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    if name == "report":
        return import_module(f"{__name__}.report")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _ReportPackage(ModuleType):
    """The package ``selftaught.report``, which can also be called: ``st.report(run)`` is the verb."""

    @property
    def __wrapped__(self) -> Any:
        """The verb itself, which ``help`` and editors show."""
        return import_module("selftaught.api.evaluating").report

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self.__wrapped__(*arguments, **options)


class _Package(ModuleType):
    """This package.

    One verb has the name of a subpackage, which Python puts in the verb's place when it is imported.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "report" and isinstance(value, ModuleType):
            value.__class__ = _ReportPackage
        super().__setattr__(name, value)


import_module(__name__).__class__ = _Package
