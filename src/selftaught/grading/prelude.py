"""What a judged program finds ready: common modules and their names, as LiveCodeBench gives them.

They are added to Python's builtins, never to the program's namespace. So a program may use ``gcd`` without an import, and a
program that defines no ``gcd`` has none to be called.
"""

from __future__ import annotations

import builtins
import re
from functools import lru_cache
from importlib import import_module

RECURSION_LIMIT = 50_000

STAR_MODULES = (
    "string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics", "itertools",
    "functools", "operator", "io", "sys", "json", "typing",
)  # fmt: skip
"""Modules whose public names are there, later ones before earlier ones; Python's own builtins come before all of them."""
MODULES = (*STAR_MODULES, "os", "time", "decimal", "fractions", "queue")
"""Modules that are there by their names."""

PRELUDE = "".join(
    [
        "import sys as _sys\n",
        f"_sys.setrecursionlimit({RECURSION_LIMIT})\n",
        *(f"from {module} import *\n" for module in STAR_MODULES),
        f"import {', '.join(MODULES)}\n",
        "from builtins import *\n",
    ]
)
"""The names as a script binds them; builtins last, so that ``pow`` and ``open`` are themselves."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def set_up(*sources: str) -> str:
    """A line of code that makes ready what of the prelude is named in ``sources``: the whole of it costs a process 6 ms."""
    origins = _origins()
    named = {match[0] for source in sources for match in _NAME.finditer(source) if match[0] in origins}
    pairs = "".join(f"({name!r}, {origins[name]}), " for name in sorted(named))
    return (
        f"(lambda sys, load: (sys.setrecursionlimit({RECURSION_LIMIT}), "
        f"[vars(load('builtins')).setdefault(*pair) for pair in [{pairs}]]))"
        "(__import__('sys'), __import__('importlib').import_module)\n"
    )


def prelude_names() -> frozenset[str]:
    """Every name that the prelude gives, without Python's own."""
    return frozenset(_origins())


@lru_cache(maxsize=1)
def _origins() -> dict[str, str]:
    """Name → the expression that gives its value, where ``load`` imports a module."""
    origins: dict[str, str] = {}
    for module in STAR_MODULES:
        loaded = import_module(module)
        public = getattr(loaded, "__all__", None) or [name for name in vars(loaded) if not name.startswith("_")]
        # What this process has in ``sys`` another one may lack.
        origins |= {name: f"getattr(load({module!r}), {name!r}, None)" for name in public}
    origins |= {module: f"load({module!r})" for module in MODULES}
    return {name: value for name, value in origins.items() if not hasattr(builtins, name)}
