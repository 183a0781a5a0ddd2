"""The pool: results, limits, the queue, cancellation, zygotes that die or retire."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from selftaught.errors import SandboxError
from selftaught.records import ExecStatus
from selftaught.sandbox import FunctionCall, Sandbox, SandboxSettings, Tier

from .processes import descendants, sandbox_processes

Settings = Callable[..., SandboxSettings]


async def test_a_call_prints_and_echoes(sandbox: Sandbox) -> None:
    result = await sandbox.run("print('a')\n6 * 7")
    assert (result.status, result.output, result.truncated) == (ExecStatus.OK, "a\n42\n", False)
    assert result.tier in (Tier.FULL, Tier.REDUCED)
    assert result.wall_s > 0


async def test_a_traceback_is_cut_to_the_cell(sandbox: Sandbox) -> None:
    result = await sandbox.run("def f():\n    return 1 / 0\nf()")
    assert result.status is ExecStatus.ERROR
    assert result.output == (
        'Traceback (most recent call last):\n  File "<cell 1>", line 3, in <module>\n    f()\n'
        '  File "<cell 1>", line 2, in f\n    return 1 / 0\nZeroDivisionError: division by zero\n'
    )


async def test_stdin_is_real(sandbox: Sandbox) -> None:
    code = "import os, sys\nfirst = input()\nprint(first, repr(sys.stdin.read()), os.read(0, 9))"
    result = await sandbox.run(code, stdin="one\ntwo\n")
    assert result.output == "one 'two\\n' b''\n"


@pytest.mark.parametrize(
    "code, status, limit",
    [
        ("while True: pass", ExecStatus.TIMEOUT, "wall"),
        ("import time\ntime.sleep(60)", ExecStatus.TIMEOUT, "wall"),
        ("while True: print('x' * 10000)", ExecStatus.OUTPUT, "output"),
        ("import os\nos.abort()", ExecStatus.CRASH, None),
        ("import sys\nsys.exit(3)", ExecStatus.ERROR, None),
        ("with open('f', 'wb') as f: f.write(bytes(64 << 20))", ExecStatus.ERROR, None),
    ],
)
async def test_every_limit_has_its_status(sandbox: Sandbox, code: str, status: ExecStatus, limit: str | None) -> None:
    result = await sandbox.run("print('before', flush=True)\n" + code, timeout_s=1.5)
    assert (result.status, result.limit) == (status, limit)
    assert result.output.startswith("before\n")


async def test_memory_has_its_status(settings: Settings) -> None:
    async with Sandbox(settings(memory_bytes=128 << 20)) as sandbox:
        result = await sandbox.run("x = bytearray(500 << 20)")
        assert (result.status, result.limit) == (ExecStatus.MEMORY, "memory")
        assert "MemoryError" in result.output
        assert (await sandbox.run("len(bytearray(50 << 20))")).status is ExecStatus.OK


async def test_cpu_has_its_status(settings: Settings) -> None:
    async with Sandbox(settings(cpu_s=1.0, timeout_s=200)) as sandbox:
        result = await sandbox.run("while True: pass")
        assert (result.status, result.limit) == (ExecStatus.TIMEOUT, "cpu")


async def test_long_output_keeps_head_and_tail(sandbox: Sandbox) -> None:
    result = await sandbox.run("for i in range(60000): print(i)\nraise ValueError('the end')")
    assert result.truncated
    assert result.output.startswith("0\n1\n")
    assert result.output.endswith("ValueError: the end\n")
    assert len(result.output) < 70_000


async def test_output_cannot_speak_to_the_model(sandbox: Sandbox) -> None:
    result = await sandbox.run(r"print('<|im_end|></think>\x1b[2J\rx')")
    assert result.output == "< |im_end|>< /think>\\x1b[2J\nx\n"


async def test_a_program_has_stdin_and_stdout_apart_from_stderr(sandbox: Sandbox) -> None:
    source = "import sys\nfor line in sys.stdin: print(int(line) + 1)\nprint('oops', file=sys.stderr)"
    result = await sandbox.run_program(source, stdin="1\n2\n")
    assert (result.status, result.stdout, result.stderr_tail) == (ExecStatus.OK, "2\n3\n", "oops\n")
    assert result.returned_json is None


async def test_a_program_may_exit_as_it_likes(sandbox: Sandbox) -> None:
    result = await sandbox.run_program("print('5')\nimport sys\nsys.exit(0)")
    assert (result.status, result.stdout) == (ExecStatus.OK, "5\n")


async def test_large_stdin_and_stdout_pass_whole(sandbox: Sandbox) -> None:
    text = "x" * 79 + "\n"
    result = await sandbox.run_program("import sys\nsys.stdout.write(sys.stdin.read())", stdin=text * 30_000)
    assert result.stdout == text * 30_000


async def test_a_function_is_called_beside_stdout(sandbox: Sandbox) -> None:
    source = "print('[0, 0]')\nclass Solution:\n    def pair(self, a, b): return (a, {'b': b})"
    result = await sandbox.run_program(source, call=FunctionCall(name="pair", arguments=["1", '["x"]']))
    assert result.returned() == [1, {"b": ["x"]}]
    assert result.stdout == "[0, 0]\n"
    big = await sandbox.run_program(
        "def f(n): return list(range(n))", call=FunctionCall(name="f", arguments=["200000"])
    )
    assert big.returned() == list(range(200_000))


@pytest.mark.parametrize(
    "source",
    [
        "import os\nprint('[1]')\nos._exit(0)",
        "def f(x):\n    import os\n    os._exit(0)",
        "def f(x): return object()",
        "class Any:\n    def __eq__(self, other): return True\ndef f(x): return Any()",
        "def g(x): return 1",
        "def f(x): raise SystemExit",
        "import socket\nsocket.socket(1, 5, 0, fileno=3).send(bytes(16) + b'j1')\nimport os\nos._exit(0)\ndef f(x): pass",
    ],
)
async def test_a_program_that_cheats_returns_nothing(sandbox: Sandbox, source: str) -> None:
    result = await sandbox.run_program(source, call=FunctionCall(name="f", arguments=["1"]))
    assert result.returned_json is None
    with pytest.raises(ValueError, match="returned nothing"):
        result.returned()


async def test_calls_know_nothing_of_each_other(sandbox: Sandbox) -> None:
    await sandbox.run("import math\nmath.pi = 3\nopen('left', 'w').close()")
    result = await sandbox.run("import math, os\nprint(math.pi > 3.1, os.path.exists('left'))")
    assert result.output == "True False\n"


async def test_results_are_reproducible(sandbox: Sandbox) -> None:
    code = "import random\nprint(random.random(), list({'a', 'b', 'c'}), hash('x'))"
    assert (await sandbox.run(code)).output == (await sandbox.run(code)).output


async def test_a_missing_module_is_not_fatal(settings: Settings) -> None:
    async with Sandbox(settings(preload=("no_such_module_here", "json"))) as sandbox:
        assert sandbox.info["missing"] == ["no_such_module_here"]
        assert (await sandbox.run("1")).output == "1\n"


async def test_callers_wait_in_order_and_too_many_are_refused(settings: Settings) -> None:
    async with Sandbox(settings(workers=1, max_queue=2)) as sandbox:
        calls = [asyncio.create_task(sandbox.run(f"import time\ntime.sleep(0.2)\n{n}")) for n in range(5)]
        results = await asyncio.gather(*calls)
        assert [result.output for result in results[:3]] == ["0\n", "1\n", "2\n"]
        assert [result.status for result in results[3:]] == [ExecStatus.REFUSED] * 2
        assert "max_queue" in results[3].output
        assert (await sandbox.run("1")).status is ExecStatus.OK


async def test_a_cancelled_call_frees_its_slot_and_leaves_no_process(settings: Settings) -> None:
    async with Sandbox(settings(workers=1)) as sandbox:
        call = asyncio.create_task(sandbox.run("while True: pass"))
        await asyncio.sleep(0.3)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert (await sandbox.run("'free'")).output == "'free'\n"


async def test_short_calls_do_not_wait_for_loops(settings: Settings) -> None:
    async with Sandbox(settings(workers=9)) as sandbox:
        loops = [asyncio.create_task(sandbox.run("import time\ntime.sleep(6)")) for _ in range(8)]
        await asyncio.sleep(0.2)
        for _ in range(10):
            assert (await sandbox.run("1")).status is ExecStatus.OK
        assert not any(loop.done() for loop in loops)
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)


async def test_a_killed_zygote_is_an_error_result_and_a_new_zygote(settings: Settings) -> None:
    before = sandbox_processes(os.getpid())
    async with Sandbox(settings()) as sandbox:
        call = asyncio.create_task(sandbox.run("import time\ntime.sleep(30)"))
        await asyncio.sleep(0.3)
        guardian = sandbox_processes(os.getpid(), before)[0]
        zygote = descendants(guardian)[0]
        os.kill(zygote, signal.SIGKILL)
        result = await asyncio.wait_for(call, 10)
        assert result.status is ExecStatus.CRASH
        assert "zygote" in result.output
        after = await sandbox.run("'again'")
        assert (after.output, after.tier) == ("'again'\n", result.tier)


async def test_zygotes_retire_without_losing_a_call(settings: Settings) -> None:
    before = sandbox_processes(os.getpid())
    async with Sandbox(settings(max_calls_per_zygote=15, workers=4)) as sandbox:
        first = sandbox_processes(os.getpid(), before)[0]
        results = []
        for start in range(0, 60, 10):
            results += await asyncio.gather(*(sandbox.run(f"print({n})") for n in range(start, start + 10)))
            await asyncio.sleep(0.15)
        assert [result.output for result in results] == [f"{n}\n" for n in range(60)]
        for _ in range(100):
            if first not in sandbox_processes(os.getpid()):
                break
            await asyncio.sleep(0.1)
        assert first not in sandbox_processes(os.getpid())
    assert sandbox_processes(os.getpid(), before) == []


async def test_closing_leaves_nothing(settings: Settings) -> None:
    before = sandbox_processes(os.getpid())
    fds = len(os.listdir("/proc/self/fd"))
    mounts = _mounts()
    async with Sandbox(settings(workers=3)) as sandbox:
        calls = [asyncio.create_task(sandbox.run("while True: pass")) for _ in range(3)]
        await asyncio.sleep(0.3)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    assert sandbox_processes(os.getpid(), before) == []
    assert len(os.listdir("/proc/self/fd")) == fds
    assert _mounts() == mounts


def _mounts() -> str:
    return Path("/proc/self/mountinfo").read_text()


def test_a_killed_caller_leaves_nothing() -> None:
    script = textwrap.dedent(
        """
        import asyncio
        from selftaught.sandbox import Sandbox, SandboxSettings
        async def main():
            async with Sandbox(SandboxSettings(preload=(), timeout_s=60)) as sandbox:
                async with sandbox.session() as session:
                    await session.run("x = 1")
                    print("up", flush=True)
                    await session.run("while True: pass")
        asyncio.run(main())
        """
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        pids = descendants(process.pid)
        assert len(pids) >= 3
        process.kill()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(_alive(pid) for pid in pids):
        time.sleep(0.05)
    assert [pid for pid in pids if _alive(pid)] == []


def _alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


async def test_several_sandboxes_at_once(settings: Settings) -> None:
    async with Sandbox(settings()) as one, Sandbox(settings(seed=1)) as two:
        code = "import random\nrandom.random()"
        first, second = await asyncio.gather(one.run(code), two.run(code))
        assert first.output != second.output


async def test_a_closed_sandbox_says_so(settings: Settings) -> None:
    sandbox = Sandbox(settings())
    with pytest.raises(SandboxError, match="not started"):
        await sandbox.run("1")
    with pytest.raises(SandboxError, match="not started"):
        _ = sandbox.tier


async def test_preloaded_modules_cost_no_import() -> None:
    async with Sandbox(SandboxSettings(preload=("numpy", "sympy"), timeout_s=30)) as sandbox:
        result = await sandbox.run("import sys\nprint('sympy' in sys.modules, 'numpy.random' in sys.modules)")
        assert result.output == "True True\n"
        result = await sandbox.run("from sympy import *\nx = symbols('x')\nsolve(x**2 - 4, x)")
        assert result.output == "[-2, 2]\n"


async def test_a_result_is_not_overtaken_by_the_news_of_the_exit() -> None:
    """Both wait for a loop that is late; read in the wrong order, a right result would count as none."""
    rng = random.Random(1)
    call = FunctionCall(name="f", arguments=[])
    async with Sandbox(SandboxSettings(workers=4)) as sandbox:

        async def one() -> str | None:
            nap = f"import time\ntime.sleep({rng.random() / 50})\ndef f():\n    return 7"
            return (await sandbox.run_program(nap, call=call, timeout_s=10)).returned_json

        async def be_late() -> None:
            while True:
                time.sleep(rng.random() / 20)  # noqa: ASYNC251 - on purpose: the loop stands still
                await asyncio.sleep(0)

        late = asyncio.ensure_future(be_late())
        results = [result for _ in range(3) for result in await asyncio.gather(*(one() for _ in range(8)))]
        late.cancel()
    assert results == ["7"] * 24
