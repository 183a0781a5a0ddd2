"""A Python interpreter that is safe to give to a model: isolated by the kernel, forked from a warm zygote.

``Sandbox`` is all that callers need; ``docs/sandbox.md`` says what it covers and what it does not.
"""

from __future__ import annotations

from .blocking import BlockingSandbox, BlockingSession
from .client import Sandbox
from .program import Program
from .session import Session
from .settings import ExecResult, FunctionCall, ProgramResult, SandboxSettings, Tier

__all__ = [
    "BlockingSandbox", "BlockingSession", "ExecResult", "FunctionCall", "Program", "ProgramResult", "Sandbox",
    "SandboxSettings", "Session", "Tier",
]  # fmt: skip
