"""Which isolation a machine offers: found out by putting it up, best first, never weaker than the settings allow."""

from __future__ import annotations

import logging
import sys

from selftaught.errors import SandboxError

from .cgroup import ControlGroup
from .handle import ChildHandle, ChildLost
from .inside import system
from .settings import SandboxSettings, Tier
from .zygote import TierUnavailable, Zygote

_log = logging.getLogger("selftaught.sandbox")
_tiers_that_failed: dict[Tier, str] = {}
"""Why a tier is not to be had on this machine: found out once per process."""


async def start_best(settings: SandboxSettings, group: ControlGroup | None = None) -> tuple[Zygote, ChildHandle]:
    """Start a zygote and its first child at the best tier that this machine offers and the settings allow.

    The child proves that all walls can be put up. A tier that is passed over is said so in the log, once per process.
    """
    if sys.platform != "linux" or not system.supported_machine():
        raise SandboxError(
            f"the sandbox needs Linux on x86_64 or aarch64; this is {sys.platform} on {system.MACHINE}. "
            "On macOS run selftaught inside a Linux VM or container (Docker, Lima, OrbStack); tier 2 works there as is."
        )
    wanted = _wanted_tiers(settings)
    for tier in wanted:
        try:
            return await _start_and_probe(settings, tier, group)
        except TierUnavailable as error:
            if tier not in _tiers_that_failed and tier is not wanted[-1]:
                _log.warning("sandbox tier %d is not to be had here (%s)", tier, error)
            _tiers_that_failed[tier] = str(error)
    reasons = "; ".join(f"tier {int(tier)}: {why}" for tier, why in sorted(_tiers_that_failed.items()))
    raise SandboxError(
        f"no isolation that is allowed here is to be had ({reasons}). Use a kernel ≥ 5.13 with Landlock and seccomp, "
        "allow unprivileged user namespaces, or pass --unsafe to run model-written code with no isolation."
    )


def _wanted_tiers(settings: SandboxSettings) -> list[Tier]:
    """Tiers to try, best first."""
    if settings.tier is Tier.UNSAFE and not settings.unsafe:
        raise SandboxError("sandbox.tier is 0 (no isolation); it needs sandbox.unsafe as well.")
    if settings.tier is not None:
        return [settings.tier]
    allowed = [tier for tier in (Tier.FULL, Tier.REDUCED) if tier <= settings.lowest_tier]
    return [tier for tier in allowed if tier not in _tiers_that_failed] + [Tier.UNSAFE] * settings.unsafe


async def _start_and_probe(
    settings: SandboxSettings, tier: Tier, group: ControlGroup | None
) -> tuple[Zygote, ChildHandle]:
    zygote = await Zygote.start(settings, tier, group)
    child = zygote.spawn()
    try:
        await child.ready
    except (SandboxError, ChildLost) as error:
        await zygote.stop()
        raise TierUnavailable(str(error)) from None
    except BaseException:
        await zygote.stop()
        raise
    return zygote, child
