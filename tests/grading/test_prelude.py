"""What a judged program finds ready, and that it is not the program's own."""

from __future__ import annotations

import builtins
import subprocess
import sys

from selftaught.grading.prelude import PRELUDE, prelude_names, set_up


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_it_gives_what_the_star_imports_give() -> None:
    names: dict[str, object] = {}
    exec(PRELUDE.split("\n", 2)[2], names)  # without the recursion limit, which is the program's
    given = {name for name in names if not name.startswith("_") and not hasattr(builtins, name)}
    assert given <= prelude_names()
    lines = "".join(
        f"print({name!r}, type({name}).__name__)\n" for name in ("copy", "datetime", "time", "gcd", "List", "pi")
    )
    assert run(set_up(lines) + lines) == run(PRELUDE + lines)


def test_only_what_is_named_is_made_ready_and_nothing_of_it_is_the_programs() -> None:
    program = "print(gcd(4, 6), sorted(globals()) == before, 'deque' in vars(__builtins__), sum([1]))\n"
    before = "before = sorted([*globals(), 'before'])\n"
    assert run(before + set_up(program) + program) == "2 True True 1\n"  # a name in a string may be evaluated
    assert "deque" not in set_up("x = 1") and "50000" in set_up("x = 1")


def test_a_name_that_the_other_process_lacks_is_no_error() -> None:
    assert "getattr(load('sys'), 'argv', None)" in set_up("argv")
