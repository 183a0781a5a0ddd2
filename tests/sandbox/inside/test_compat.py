"""What graded programs may rely on although a wall stands in the way."""

from __future__ import annotations

import pytest

from selftaught.records import ExecStatus
from selftaught.sandbox import BlockingSandbox

PROGRAMS = {
    "stdin by name": "print(open('/dev/stdin').read().split())",
    "stdin of pathlib": "import pathlib\nprint(pathlib.Path('/dev/stdin').read_text().split())",
    "stdin of fd": "print(open('/dev/fd/0').read().split())",
    "stdin replaced": "import sys\nsys.stdin = open('/dev/stdin')\nprint([input(), input()])",
    "stdin by number": "print(open(0).read().split())",
    "stdout by name": "import sys\nwith open('/dev/stdout', 'w') as f: print(sys.stdin.read().split(), file=f)",
    "asyncio": (
        "import asyncio\nasync def read():\n    await asyncio.sleep(0)\n    return await asyncio.to_thread(input)\n"
        "async def main():\n    return list(await asyncio.gather(read())) + [await read()]\nprint(asyncio.run(main()))"
    ),
    "stack": (
        "import resource, sys\nresource.setrlimit(resource.RLIMIT_STACK, (-1, -1))\nsys.setrecursionlimit(10**6)\n"
        "def f(n): return 0 if n == 0 else f(n - 1)\nf(50000)\nprint([input(), input()])"
    ),
    "arguments": "import sys\nassert len(sys.argv) == 1\nprint(list(map(str.strip, __import__('fileinput').input())))",
    "a thread with a large stack": (
        "import threading, sys\nthreading.stack_size(1 << 27)\n"
        "t = threading.Thread(target=lambda: print(sys.stdin.read().split())); t.start(); t.join()"
    ),
}


@pytest.mark.parametrize("source", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_what_competitors_write_runs(shared: BlockingSandbox, source: str) -> None:
    result = shared.run_program(source, stdin="a\nb\n")
    assert (result.status, result.stdout) == (ExecStatus.OK, "['a', 'b']\n"), result.stderr_tail


def test_no_limit_is_raised_by_that(shared: BlockingSandbox) -> None:
    source = (
        "import resource\nbefore = [resource.getrlimit(kind) for kind in range(10)]\n"
        "for kind in range(10):\n    try: resource.setrlimit(kind, (-1, -1))\n    except (OSError, ValueError): pass\n"
        "print(before == [resource.getrlimit(kind) for kind in range(10)])\n"
        "for bad in ((10, 5), (-1, 5)):\n    try: resource.setrlimit(0, bad)\n    except ValueError: print('refused')"
    )
    assert shared.run_program(source).stdout == "True\nrefused\nrefused\n"


def test_cells_have_no_event_loop(shared: BlockingSandbox) -> None:
    result = shared.run("import asyncio\nasync def f(): return 1\nasyncio.run(f())")
    assert result.status is ExecStatus.ERROR
    assert "PermissionError" in result.output
