"""The sandbox attacked on this machine by the code that it must hold: what ``selftaught doctor`` runs.

Each attack is a cell that tries one thing and prints ``ESCAPED`` if it worked, against canaries that this process puts
up: a TCP listener, an abstract socket, a file, a variable in the environment. The canaries are first reached from here,
without a sandbox, so a silent detector is found out as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from selftaught.records import ExecStatus

from .client import Sandbox
from .settings import ExecResult, SandboxSettings, Tier

_LAYERS = {
    Tier.FULL: [
        "user, mount, pid, net, ipc, uts and cgroup namespaces",
        "pivot_root to a read-only root",
        "a tmpfs per call",
    ],
    Tier.REDUCED: ["no namespaces on this machine", "scratch on the host's disk, size polled"],
    Tier.UNSAFE: ["NO ISOLATION: model-written code runs with the rights of this user"],
}


class Finding(BaseModel):
    """One attack: ``held`` says that the sandbox withstood it."""

    name: str
    held: bool
    detail: str


class SandboxReport(BaseModel):
    """What ``doctor`` shows of the sandbox."""

    tier: int
    layers: list[str]
    memory: str
    """What bounds the memory of all children together, in words."""
    cgroup: bool
    """Whether that is a control group of the kernel's."""
    modules: list[str]
    missing: list[str]
    uid: int
    landlock_abi: int
    start_s: float
    findings: list[Finding]

    @property
    def ok(self) -> bool:
        """Whether every attack was held."""
        return self.tier != Tier.UNSAFE and all(finding.held for finding in self.findings)


class _Attack(BaseModel):
    name: str
    code: str
    first: str = ""
    """A call before, whose traces the second must not see."""
    status: tuple[ExecStatus, ...] = (ExecStatus.OK, ExecStatus.ERROR)


def _attempt(body: str) -> str:
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    caught = "except (OSError, ValueError, KeyError, ImportError) as error:\n    print('held', error)\n"
    return f"try:\n{lines}    print('ESCAPED')\n{caught}"


_SYSCALLS = """import ctypes, platform
libc = ctypes.CDLL(None, use_errno=True)
column = 0 if platform.machine() == 'x86_64' else 1
calls = {'socket': (41, 198, 2, 1, 0), 'unshare': (272, 97, 0x10000000, 0, 0), 'mount': (165, 40, 0, 0, 0),
         'ptrace': (101, 117, 0, 0, 0), 'io_uring_setup': (425, 425, 8, 0, 0), 'keyctl': (250, 219, 0, -3, 0),
         'bpf': (321, 280, 0, 0, 0), 'memfd_create': (319, 279, 0, 0, 0), 'shmget': (29, 194, 42, 4096, 0o1666),
         'userfaultfd': (323, 282, 0, 0, 0), 'perf_event_open': (298, 241, 0, 0, 0), 'setns': (308, 268, 0, 0, 0),
         'seccomp': (317, 277, 0, 0, 0), 'pidfd_open': (434, 434, 1, 0, 0), 'process_vm_readv': (310, 270, 1, 0, 0)}
for name, (*numbers, a, b, c) in calls.items():
    result = libc.syscall(numbers[column], a, b, c)
    # the kernel must have said EPERM or ENOSYS, not looked at the arguments
    if result >= 0 or ctypes.get_errno() not in (1, 38):
        print('ESCAPED', name, result, ctypes.get_errno())
"""

_SHARED_MEMORY = """import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
places = [(0x21, -1)]
try: places.append((1, os.open('/dev/zero', os.O_RDWR)))
except OSError as error: print('held', error)
for flags, fd in places:
    if libc.mmap(None, 1 << 20, 3, flags, fd, 0) != 2**64 - 1: print('ESCAPED', flags)
"""


def _attacks(directory: Path, port: int, abstract: str, secret: str, parent: int) -> list[_Attack]:
    canary = directory / "canary.txt"
    connect = f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 1)"
    unix = f"import socket\nsocket.socket(socket.AF_UNIX).connect(chr(0) + {abstract!r})"
    bomb = "import threading, time\nthreading.stack_size(65536)\n"
    return [
        _Attack(name="network: TCP to this machine", code=_attempt(connect)),
        _Attack(name="network: abstract unix socket", code=_attempt(unix)),
        _Attack(name="network: resolve a name", code=_attempt("import socket\nsocket.getaddrinfo('example.com', 80)")),
        _Attack(name="files: read outside", code=_attempt(f"open({str(canary)!r}).read()")),
        _Attack(name="files: write outside", code=_attempt(f"open({str(directory / 'new')!r}, 'w')")),
        _Attack(name="files: change the Python installation", code=_attempt("import json\nopen(json.__file__, 'a')")),
        _Attack(name="files: processes of the host", code=_attempt("import os\nos.listdir('/proc')")),
        _Attack(
            name="secrets: environment",
            code=f"import os\nprint('ESCAPED' if {secret!r}[:-4] in str(os.environ) else 'held')",
        ),
        _Attack(
            name="process: start a program",
            code=_attempt("import subprocess\nsubprocess.run(['/bin/sh', '-c', 'true'])"),
        ),
        _Attack(name="process: fork", code=_attempt("import os\nos.fork() or os._exit(0)")),
        _Attack(name="process: signal the caller", code=_attempt(f"import os\nos.kill({parent}, 0)")),
        _Attack(
            name="process: raise a limit",
            code=_attempt("from resource import *\nsetrlimit(RLIMIT_AS, (-1, -1))"),
        ),
        _Attack(name="kernel: forbidden system calls", code=_SYSCALLS),
        _Attack(name="limit: wall time", code="while True: pass", status=(ExecStatus.TIMEOUT,)),
        _Attack(name="limit: memory", code="x = []\nwhile True: x.append(bytes(10**7))", status=(ExecStatus.MEMORY,)),
        _Attack(name="limit: memory outside the address space", code=_SHARED_MEMORY),
        _Attack(
            name="limit: packets without end",
            code="import socket\ns = socket.socket(1, 5, 0, fileno=3)\nwhile True: s.send(b''), s.send(b'x')",
            status=(ExecStatus.TIMEOUT,),
        ),
        _Attack(name="limit: output", code="while True: print('x' * 10**5)", status=(ExecStatus.OUTPUT,)),
        _Attack(name="limit: a large file", code=_attempt("with open('f', 'wb') as f: f.write(bytes(64 << 20))")),
        _Attack(name="limit: descriptors", code=_attempt("import os\nfds = [os.pipe() for _ in range(2000)]")),
        _Attack(
            name="limit: threads",
            code=bomb
            + "try:\n    for n in range(2000): threading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n"
            "    print('ESCAPED')\nexcept RuntimeError: print('held', n)",
        ),
        _Attack(
            name="leak: files, modules, memory of a call before",
            first="import math, builtins\nmath.pi = 3\nbuiltins.len = None\nopen('left', 'w').write('x')",
            code="import math, os\nprint('ESCAPED' if math.pi == 3 or os.path.exists('left') or len is None else 'held')",
        ),
        _Attack(
            name="leak: an open file of a call before",
            first="import fcntl, os\nfcntl.flock(0, fcntl.LOCK_EX)\nfcntl.fcntl(0, fcntl.F_SETFL, os.O_APPEND | os.O_NONBLOCK)",
            code="import fcntl, os\nfcntl.flock(0, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
            "print('ESCAPED' if fcntl.fcntl(0, fcntl.F_GETFL) & (os.O_APPEND | os.O_NONBLOCK) else 'held')",
        ),
        _Attack(
            name="crash: segmentation fault", code="import ctypes\nctypes.string_at(0)", status=(ExecStatus.CRASH,)
        ),
    ]


class _Canaries:
    """What an escaped cell could reach."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.secret = "canary-" + secrets.token_hex(8)
        self.abstract = "selftaught-" + secrets.token_hex(8)
        (directory / "canary.txt").write_text(self.secret)
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self._unix = socket.socket(socket.AF_UNIX)
        self._unix.bind("\0" + self.abstract)
        self._unix.listen()
        self.port = int(self._tcp.getsockname()[1])
        os.environ["SELFTAUGHT_CANARY"] = self.secret

    def fire(self) -> list[Finding]:
        """Reach every canary from here: a detector that does not fire proves nothing."""
        with socket.create_connection(("127.0.0.1", self.port), 1), socket.socket(socket.AF_UNIX) as unix:
            unix.connect("\0" + self.abstract)
        assert (self.directory / "canary.txt").read_text() == self.secret, "the canary file must be readable from here"
        return [Finding(name="control: the canaries can be reached without a sandbox", held=True, detail="")]

    def close(self) -> None:
        """Take everything down."""
        self._tcp.close()
        self._unix.close()
        os.environ.pop("SELFTAUGHT_CANARY", None)


@contextlib.contextmanager
def _canaries() -> Iterator[_Canaries]:
    with tempfile.TemporaryDirectory(prefix="selftaught-canary-") as name:
        canaries = _Canaries(Path(name))
        try:
            yield canaries
        finally:
            canaries.close()


def _verdict(attack: _Attack, result: ExecResult, secret: str) -> Finding:
    last = result.output.strip().splitlines()[-1] if result.output.strip() else ""
    if "ESCAPED" in result.output or secret in result.output:
        return Finding(name=attack.name, held=False, detail=f"escaped: {last[:200]}")
    if result.status not in attack.status:
        return Finding(name=attack.name, held=False, detail=f"ended as {result.status}: {last[:200]}")
    return Finding(name=attack.name, held=True, detail=f"{result.status}")


async def _attack(sandbox: Sandbox, canaries: _Canaries) -> list[Finding]:
    async def one(attack: _Attack) -> Finding:
        if attack.first:
            await sandbox.run(attack.first)
        return _verdict(attack, await sandbox.run(attack.code), canaries.secret)

    attacks = _attacks(canaries.directory, canaries.port, canaries.abstract, canaries.secret, os.getpid())
    return canaries.fire() + list(await asyncio.gather(*(one(attack) for attack in attacks)))


def sandbox_report(settings: SandboxSettings | None = None, *, attack: bool = True) -> SandboxReport:
    """Start a sandbox as a run would, attack it if asked, and say what there is. Raises SandboxError when there is none."""
    return asyncio.run(_report(settings or SandboxSettings(workers=4, timeout_s=2.0, light=False), attack))


async def _report(settings: SandboxSettings, attack: bool) -> SandboxReport:
    started = time.monotonic()
    with _canaries() as canaries:  # before the sandbox starts: it must not inherit them
        async with Sandbox(settings) as sandbox:
            return await _examine(sandbox, canaries, started, attack)


async def _examine(sandbox: Sandbox, canaries: _Canaries, started: float, attack: bool) -> SandboxReport:
    await sandbox.run("1")
    start_s = time.monotonic() - started
    info = sandbox.info
    layers = [*_LAYERS[sandbox.tier]]
    if sandbox.tier is not Tier.UNSAFE:
        layers += [f"Landlock {info['landlock_abi']}", "seccomp allow-list", "no capabilities, no_new_privs"]
    findings = await _attack(sandbox, canaries) if attack else []
    return SandboxReport(
        tier=int(sandbox.tier),
        layers=[*layers, "resource limits"],
        memory=sandbox.memory_wall,
        cgroup=sandbox.has_cgroup,
        modules=list(info["modules"]),  # type: ignore[call-overload]
        missing=list(info["missing"]),  # type: ignore[call-overload]
        uid=int(str(info["uid"])),
        landlock_abi=int(str(info["landlock_abi"])),
        start_s=round(start_s, 3),
        findings=findings,
    )
