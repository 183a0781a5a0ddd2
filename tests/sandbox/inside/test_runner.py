"""A session outlives whatever its cells raise, patch or leave behind; only limits and its own wish end it."""

from __future__ import annotations

import time

import pytest

from selftaught.records import ExecStatus
from selftaught.sandbox import BlockingSandbox

RAISED = {
    "frozen": "import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass E(Exception):\n    a: int\nraise E(1)",
    "setattr": "class E(Exception):\n    def __setattr__(self, k, v): raise KeyError(k)\nraise E",
    "getattribute": "class E(Exception):\n    def __getattribute__(self, k): raise KeyError(k)\nraise E",
    "str": "class E(Exception):\n    def __str__(self): raise SystemExit(5)\nraise E",
    "str of a wrong type": "class E(Exception):\n    def __str__(self): return 5\nraise E",
    "str exits": "class E(Exception):\n    def __str__(self): raise KeyboardInterrupt\n    __repr__ = __str__\nraise E",
    "cause": "class E(Exception):\n    __cause__ = property(lambda self: 1 / 0)\nraise E",
    "context": "class E(Exception):\n    __context__ = property(lambda self: 1 / 0)\nraise E",
    "trace": "class E(Exception):\n    __traceback__ = property(lambda self: 1 / 0)\nraise E",
    "class": "class E(Exception):\n    __class__ = property(lambda self: 1 / 0)\nraise E",
    "notes": "class E(Exception):\n    __notes__ = property(lambda self: 1 / 0)\nraise E",
    "a note": "class N:\n    def __str__(self): raise KeyError\nclass E(Exception):\n    __notes__ = [N()]\nraise E",
    "meta": "class M(type):\n    __qualname__ = property(lambda self: 1 / 0)\nclass E(Exception, metaclass=M): pass\nraise E",
    "module": "class E(Exception): pass\nE.__module__ = object()\nraise E",
    "syntax": "e = SyntaxError('m'); e.text = 5; e.lineno = 'x'; e.offset = b''\nraise e",
    "syntax class": "class E(SyntaxError):\n    msg = property(lambda self: 1 / 0)\nraise E('m', ('f', 1, 2, 'text'))",
    "cycle": "a = ValueError(); b = KeyError(); a.__context__ = b; b.__context__ = a\nraise a",
    "group": "raise BaseExceptionGroup('g', [KeyboardInterrupt(), ValueError('v')])",
    "interrupt": "raise KeyboardInterrupt",
    "generator": "raise GeneratorExit",
    "memory": "raise MemoryError",
    "memory class": "class E(MemoryError):\n    def __setattr__(self, k, v): raise KeyError\nraise E",
    "exit str": "class C:\n    def __str__(self): raise KeyError\n    __repr__ = __str__\nraise SystemExit(C())",
    "exit code raises": "class E(SystemExit):\n    code = property(lambda self: 1 / 0)\nraise E(3)",
    "exit code lies": "class C(int):\n    def __and__(self, o): raise KeyError\n    __eq__ = __bool__ = __and__\nraise SystemExit(C(3))",
    "exit class": "class C:\n    __class__ = property(lambda self: 1 / 0)\nraise SystemExit(C())",
    "exit huge": "raise SystemExit(10**40 + 1)",
    "echo": "class C:\n    def __repr__(self): raise SystemExit(1)\nC()",
    "echo type": "class C:\n    def __repr__(self): return 5\nC()",
    "decode": "raise UnicodeDecodeError('a', b'b', 0, 1, 'c\\ud800')",
}
LEFT = {
    "no stdout": "import sys\ndel sys.stdout, sys.stderr, sys.stdin",
    "None": "import sys\nsys.stdout = sys.stderr = sys.stdin = None",
    "flush": "import sys\nclass F:\n    def write(self, t): pass\n    def flush(self): raise KeyboardInterrupt\nsys.stdout = sys.stderr = F()",
    "closed": "import sys\nsys.stdout.close(); sys.stderr.close(); sys.stdin.close()",
    "detached": "import sys\nsys.stdout.detach(); sys.stdin.detach()",
    "sys": "import sys, types\nclass M(types.ModuleType):\n    def __getattribute__(self, k):\n        if k == 'stderr': raise KeyError(k)\n        return super().__getattribute__(k)\nsys.__class__ = M",
    "trace": "import sys\ndef t(*a): raise KeyError\nsys.settrace(t)",
    "profile": "import sys\ndef t(*a): raise KeyError\nsys.setprofile(t)",
    "os": "import os\nfor n in ('dup2', 'close', 'write', 'fstat', '_exit', 'read', 'open'): setattr(os, n, None)",
    "ast": "import ast\nast.Expr = ast.Expression = ast.PyCF_ONLY_AST = None",
    "linecache": "import linecache\nlinecache.cache = None",
    "json": "import json, json.decoder\njson.loads = json.dumps = json.JSONDecoder = json.decoder.scanner = None",
    "io": "import io, sys\nio.TextIOWrapper = io.FileIO = io.BufferedWriter = io.BufferedReader = None\nsys.stdout.close()",
    "threading": "import threading\nthreading.settrace = threading.setprofile = threading._shutdown = None",
    "builtins": "import builtins\nfor n in 'isinstance getattr len bytes bool memoryview repr open compile exec eval type int'.split(): delattr(builtins, n)",
    "modules": "import sys\nsys.modules.clear()",
    "gc": "import gc\ngc.callbacks.append(lambda *a: 1 / 0)",
    "hooks": "import sys\nsys.excepthook = sys.unraisablehook = sys.displayhook = lambda *a: 1 / 0",
    "recursion": "import sys\nsys.setrecursionlimit(40)",
    "warnings": "import warnings\nwarnings.simplefilter('error')",
    "descriptors": "import os\nkept = []\ntry:\n    while True: kept.append(os.dup(0))\nexcept OSError: pass",
    "modes": "import os\nos.umask(0o777); os.chdir('/')",
    "future": "from __future__ import annotations",
    "audit": "import sys\nsys.addaudithook(lambda *a: None)",
    "threads": "import threading, time\nfor _ in range(20): threading.Thread(target=time.sleep, args=(99,), daemon=True).start()",
}  # fmt: skip


@pytest.mark.parametrize("code", RAISED.values(), ids=RAISED.keys())
def test_a_session_outlives_what_a_cell_raises(shared: BlockingSandbox, code: str) -> None:
    with shared.session() as session:
        session.run("x = 7")
        first = session.run(code)
        assert first.status in (ExecStatus.ERROR, ExecStatus.MEMORY), first
        assert first.output.strip() or "SystemExit" in code
        after = session.run("x")
        assert (after.output, after.restarted) == ("7\n", False), first


@pytest.mark.parametrize("code", LEFT.values(), ids=LEFT.keys())
def test_a_session_outlives_what_a_cell_leaves_behind(shared: BlockingSandbox, code: str) -> None:
    with shared.session() as session:
        session.run("x = 7")
        first = session.run(code)
        after = session.run("x")
        assert (after.output, after.restarted) == ("7\n", False), (first, after)
        again = session.run("print(x)")
        assert again.restarted is False
        assert again.output == "7\n" or "NameError" in again.output, again


@pytest.mark.parametrize("code", ["s.setblocking(False)", "s.settimeout(0.0)"])
def test_a_socket_set_not_to_wait(shared: BlockingSandbox, code: str) -> None:
    with shared.session() as session:
        session.run(f"import socket, time\ns = socket.socket(1, 5, 0, fileno=3)\n{code}\ns.detach()\nx = 7")
        before = float(session.run("print(time.process_time())").output)
        time.sleep(0.5)
        after = session.run("print(time.process_time())")
        assert not after.restarted
        assert float(after.output) - before < 0.2  # it waits, and does not ask again and again


@pytest.mark.parametrize("code", ["os.close(1)", "r, w = os.pipe()\nos.dup2(w, 1)", "os.dup2(0, 1)"])
def test_a_session_that_can_show_nothing_any_more_begins_anew(shared: BlockingSandbox, code: str) -> None:
    with shared.session() as session:
        session.run(f"import os\n{code}")
        time.sleep(0.3)
        after = session.run("print(1)")
        assert after.restarted
        assert after.output.endswith("\n1\n")


def test_signal_handlers_that_raise_between_cells(shared: BlockingSandbox) -> None:
    alarm = "import signal\ndef f(*a): raise KeyError\nsignal.signal(signal.SIGALRM, f)\nx = 7\nsignal.setitimer(0, 0.3, 0.05)"
    with shared.session() as session:
        session.run(alarm)
        time.sleep(0.7)
        results = [session.run("x") for _ in range(5)]
        assert not any(result.restarted for result in results), results
        assert any(result.output == "7\n" for result in results)


def test_an_exception_sent_by_a_thread_between_cells(shared: BlockingSandbox) -> None:
    code = (
        "import ctypes, threading, time\nmain = threading.main_thread().ident\n"
        "def f():\n    time.sleep(0.1)\n    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(main), ctypes.py_object(KeyError))\n"
        "threading.Thread(target=f, daemon=True).start()\nx = 7"
    )
    with shared.session() as session:
        session.run(code)
        time.sleep(0.3)
        results = [session.run("x") for _ in range(3)]
        assert not any(result.restarted for result in results)
        assert results[-1].output == "7\n"


def test_too_many_open_files_are_an_error_of_the_cell(shared: BlockingSandbox) -> None:
    with shared.session() as session:
        session.run("x = 7\n" + LEFT["descriptors"])
        long = session.run("y = 1\n" + "#" * 40_000)
        assert long.status is ExecStatus.ERROR
        assert "files open" in long.output
        assert (session.run("x")).output == "7\n"


@pytest.mark.parametrize(
    "source, exit_code, status",
    [
        ("print(1)", 0, ExecStatus.OK),
        ("raise SystemExit", 0, ExecStatus.OK),
        ("exit(0)", 0, ExecStatus.OK),
        ("exit(3)", 3, ExecStatus.ERROR),
        ("exit(256)", 0, ExecStatus.OK),
        ("exit(-1)", 255, ExecStatus.ERROR),
        ("exit('no')", 1, ExecStatus.ERROR),
        ("1 / 0", 1, ExecStatus.ERROR),
        ("import os\nos._exit(0)", 0, ExecStatus.OK),
        ("import os\nos._exit(77)", 77, ExecStatus.ERROR),
        ("import os\nos.abort()", -6, ExecStatus.CRASH),
        ("import os\nos.kill(os.getpid(), 9)", -9, ExecStatus.CRASH),
        ("import os, signal\nsignal.signal(signal.SIGXFSZ, 0)\nos.kill(os.getpid(), signal.SIGXFSZ)", -25, ExecStatus.CRASH),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGXCPU)", -24, ExecStatus.CRASH),
        ("while True: pass", None, ExecStatus.TIMEOUT),
    ],
)  # fmt: skip
def test_a_program_has_an_exit_code(
    shared: BlockingSandbox, source: str, exit_code: int | None, status: ExecStatus
) -> None:
    result = shared.run_program(source, timeout_s=1.0 if exit_code is None else 20.0)
    assert (result.exit_code, result.status) == (exit_code, status)


def test_a_cell_that_never_ran_is_not_ok(shared: BlockingSandbox) -> None:
    leave = "import threading, os, select\ndef f():\n    select.select([3], [], []); os._exit(0)\n"
    with shared.session() as session:
        session.run(leave + "threading.Thread(target=f, daemon=True).start()")
        time.sleep(0.1)
        result = session.run("print('ran')")
        assert result.output.startswith("ran\n") or result.status is ExecStatus.ERROR
