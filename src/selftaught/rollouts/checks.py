"""What can be wrong with a rollout's settings beyond the bounds of each: seen before any model is loaded."""

from __future__ import annotations

import importlib.util

from selftaught.errors import ConfigError, MissingPartError
from selftaught.hints import HintLibrary, load_library, split_name
from selftaught.manner import Manner
from selftaught.records import Problem
from selftaught.rollouts.settings import RolloutSettings
from selftaught.tokens.folder import is_url


def check_settings(settings: RolloutSettings, model: str) -> None:
    """ConfigError when hints, rounds and tools do not go together; MissingPartError when the device, or matplotlib for
    figures, is not there."""
    named = settings.hints.policy
    path, policy = split_name(named)
    library = load_library(path)
    if policy not in library.policies:
        raise library.unknown_policy(policy)
    if policy != "none" and not settings.tools.enabled and _opens_code(library, policy):
        raise ConfigError(f"hints is {named!r} but tools are off; hints open code blocks, so they need tools.")
    if settings.hints.record_rounds:
        targets = (library.policies[policy].by_kind or {}).values() or [policy]
        rules = [rule for target in targets for rule in library.policies[target].rules]
        if any(rule.when.value in ("end_of_thinking", "before_final") and rule.cap != "rounds" for rule in rules):
            raise ConfigError(
                f"record_rounds needs a policy whose end-of-thinking hints are rounds; hints is {named!r}, use 'end'."
            )
    if settings.tools.figures and settings.tools.enabled and importlib.util.find_spec("matplotlib") is None:
        raise MissingPartError(
            f"figures is {settings.tools.figures}, but matplotlib is missing; pip install 'selftaught[figures]'."
        )
    if settings.engine.device is not None and not is_url(model):
        _check_device(settings.engine.device)


def outside_notice(problem: Problem, manner: Manner) -> str | None:
    """What is to be said when a model is asked what it was never made for; None otherwise."""
    if manner.knows != "toy":
        return None
    from selftaught.toy.known import is_known

    if is_known(problem.problem):
        return None
    return "the embedded model knows nineteen families of problems, and this is none of them; expect a wrong answer."


def _opens_code(library: HintLibrary, policy: str) -> bool:
    """Whether a hint that the policy can put opens a code block. Budget forcing only says "Wait"."""
    targets = set((library.policies[policy].by_kind or {}).values()) or {policy}
    hints = {hint for target in targets for rule in library.policies[target].rules for hint in rule.hints}
    return any(library.functions[hint].opens == "python" for hint in hints)


def _check_device(device: str) -> None:
    kind, _, index = device.partition(":")
    if kind == "cpu" or importlib.util.find_spec("torch") is None:
        return  # without torch, the engine says so
    import torch

    parts = {"cuda": torch.cuda, "mps": torch.backends.mps, "xpu": torch.xpu}
    part = parts[kind]
    if not part.is_available():
        raise MissingPartError(
            f"--device is {device}, but torch sees no {kind} device; use --device cpu, or leave it out."
        )
    count = part.device_count() if kind != "mps" else 1
    if index and int(index) >= count:
        raise MissingPartError(f"--device is {device}, but torch sees {count} {kind} devices, numbered from 0.")
