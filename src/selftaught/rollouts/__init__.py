"""Rollouts: Hint-infer over many problems, token-exact and resumable.

``state`` is the pure state machine, ``loop`` drives one trajectory, ``runner`` many of them over worker processes;
``run_rollout`` is the entry point, ``verify_run`` proves the token ledger of a finished run.
"""

from __future__ import annotations

from selftaught.manner import ThinkStyle
from selftaught.rollouts.plain import PlainRun
from selftaught.rollouts.runner import RolloutSummary, run_rollout
from selftaught.rollouts.settings import RolloutSettings

__all__ = ["PlainRun", "RolloutSettings", "RolloutSummary", "ThinkStyle", "run_rollout"]
