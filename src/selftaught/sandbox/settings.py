"""What a caller says to the sandbox and what it hears back. Sizes in bytes, times in seconds."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from selftaught.records import ExecStatus

MIB = 1 << 20


class Tier(IntEnum):
    """How a result was isolated. Stamped on every result; never lowered silently below ``lowest_tier``."""

    UNSAFE = 0
    """Resource limits only. Reached only with ``unsafe=True``."""
    FULL = 1
    """Namespaces, pivot_root, Landlock, seccomp, limits."""
    REDUCED = 2
    """No user namespaces here: Landlock, seccomp, limits; scratch lies on the host's disk, its size is only polled."""


class SandboxSettings(BaseModel):
    """Limits and size of a sandbox. The defaults are those that the abuse cases were passed with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    workers: int = Field(default=2, ge=1, le=1024)
    """Calls that run at the same time; further callers wait in order."""
    spares: int | None = Field(default=None, ge=1)
    """Children kept forked and sandboxed ahead of need; by default one per worker, at least 2, at most 16."""
    max_queue: int = Field(default=10_000, ge=0)
    """Callers that may wait; the next one gets a ``refused`` result at once."""
    max_sessions: int = Field(default=1024, ge=1)
    timeout_s: float = Field(default=5.0, gt=0)
    """Wall time of a call or of a session's cell."""
    cpu_s: float | None = Field(default=None, gt=0)
    """CPU time of the same; by default a second more than the wall time."""
    session_cpu_s: float = Field(default=3600.0, gt=0)
    """CPU time of a session's whole life."""
    memory_bytes: int = Field(default=1024 * MIB, ge=16 * MIB)
    """Address space of a call, preloaded modules included (they take about a third of a GiB); never less than 64 MiB
    beyond those."""
    cgroup: bool = True
    """Put all processes into one control group, where one can be made: the second wall round memory and threads."""
    total_memory_bytes: int | None = Field(default=None, ge=64 * MIB)
    """Memory of that group; by default ``memory_bytes`` for each worker and one more, and a GiB for what idles."""
    file_bytes: int = Field(default=8 * MIB, ge=0)
    """Largest file."""
    scratch_bytes: int = Field(default=16 * MIB, ge=4096)
    """All files of one call or session together."""
    num_scratch_inodes: int = Field(default=4096, ge=16)
    num_files: int = Field(default=256, ge=16)
    """Open descriptors."""
    num_threads: int = Field(default=128, ge=1)
    """Threads of one child. At tier 2 polled; a burst is bounded by what this user may have in all."""
    output_bytes: int = Field(default=64 * 1024, ge=256)
    """Output kept of a call: its head and its tail."""
    max_output_bytes: int = Field(default=4 * MIB, ge=1024)
    """Output at which a call is killed."""
    max_line_chars: int = Field(default=8192, ge=80)
    """Longer lines lose their middle."""
    neutralise: bool = True
    """Make control characters visible and break chat-template tokens, so that output is safe to show and to feed back."""
    echo: bool = True
    """Show the value of a cell's last expression."""
    preload: tuple[str, ...] = ("numpy", "sympy", "scipy", "mpmath", "networkx")
    """Modules imported once, before any call."""
    light: bool = True
    """Keep smaller zygotes too, one with nothing preloaded and one with numpy, sympy and mpmath only, and serve a call
    from the smallest that has what its text names: a fork costs by the page."""
    extra_read_paths: tuple[str, ...] = ()
    """Host paths that model code may read, beside the Python installation."""
    seed: int = 0
    """Seed of ``random`` and ``numpy.random`` at the start of every call or session."""
    int_max_str_digits: int = Field(default=100_000, ge=0)
    """Digits that ``str(int)`` may print. Python's own 4,300 is too few for number theory; printing is quadratic."""
    max_images: int = Field(default=0, ge=0, le=64)
    """Figures of matplotlib's that a cell gives back as images; 0 switches that off, and matplotlib is not preloaded."""
    max_image_bytes: int = Field(default=2 * MIB, ge=1024, le=64 * MIB)
    """Largest image. A larger one is left out, and the output says so."""
    max_calls_per_zygote: int = Field(default=5_000, ge=1)
    """Children forked by one zygote before a fresh one takes over."""
    lowest_tier: Tier = Tier.REDUCED
    """Weakest isolation that is accepted without ``unsafe``."""
    tier: Tier | None = None
    """Use exactly this tier (tests and benchmarks)."""
    unsafe: bool = False
    """Run with no isolation at all when there is none to be had."""
    start_timeout_s: float = Field(default=60.0, gt=0)
    """How long a zygote may take to import its modules."""

    @model_validator(mode="after")
    def _with_matplotlib(self) -> SandboxSettings:
        if self.max_images and "matplotlib" not in self.preload:
            object.__setattr__(self, "preload", (*self.preload, "matplotlib"))
        return self

    def group_limits(self) -> tuple[int, int]:
        """Memory in bytes and number of threads of all processes together."""
        total = self.total_memory_bytes or self.memory_bytes * (self.workers + 1) + (1 << 30)
        return total, self.num_threads * (self.workers + 1) + 2 * self.max_sessions + 512


class ExecResult(BaseModel):
    """How one cell ended."""

    model_config = ConfigDict(frozen=True)

    status: ExecStatus
    output: str
    """stdout and stderr in the order written, then the traceback or the echoed value."""
    wall_s: float
    truncated: bool = False
    """Some of the output was left out."""
    tier: Tier
    limit: str | None = None
    """Which limit ended it: wall, cpu, memory, output, files, threads."""
    restarted: bool = False
    """The session's state was gone before this cell began; the output says so too."""
    images: tuple[bytes, ...] = Field(default=(), exclude=True, repr=False)
    """The cell's figures as PNG, if ``max_images`` allows any."""


class FunctionCall(BaseModel):
    """A call of a function of a program: its name (or a method of ``Solution``) and one JSON value per argument."""

    model_config = ConfigDict(frozen=True)

    name: str
    arguments: list[str]


class ProgramResult(BaseModel):
    """How one program ended. ``status`` is ok only when it came to its end, or left with exit code 0."""

    model_config = ConfigDict(frozen=True)

    status: ExecStatus
    stdout: str
    stderr_tail: str
    """Last bytes of stderr, with the traceback if there was one."""
    returned_json: str | None = None
    """JSON text of the call's result, received beside stdout; None when the program never got there."""
    wall_s: float
    tier: Tier
    limit: str | None = None
    exit_code: int | None = None
    """As ``subprocess`` has it: 0, what ``sys.exit`` was given, 1 after an exception, a signal's number negated; None for
    a program that was stopped by a limit of ours or lost."""

    def returned(self) -> Any:
        """The call's result as a Python value. Raises ValueError when there is none."""
        import json

        if self.returned_json is None:
            raise ValueError("the program returned nothing")
        return json.loads(self.returned_json)
