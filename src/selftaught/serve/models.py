"""The models that the server lists: one open model under three names, one for each way of asking it.

``M`` decides by itself when to use Python, ``M:hint`` gets hints, ``M:no-tools`` thinks without either. A client's model
list thus chooses the condition. A path is never shown.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from selftaught.manner import Manner
from selftaught.rollouts.settings import RolloutSettings
from selftaught.serve.errors import ApiError
from selftaught.tokens.folder import is_url

HINT, NO_TOOLS, REQUIRED = "hint", "no-tools", "required"
_UNTIL_CALLED = "end_unverified"
"""The policy that hints again at every end of thinking until a call has run."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One name of the list and how it asks."""

    id: str
    mode: str
    """Empty, ``hint``, ``no-tools``, or ``required``, which is not listed: a request asks for it by ``tool_choice``."""
    settings: RolloutSettings


@dataclass(frozen=True)
class Catalog:
    """All names."""

    variants: Mapping[str, Variant]
    max_context: int
    unlisted: tuple[Variant, ...] = ()
    created: int = field(default_factory=lambda: int(time.time()))

    def __getitem__(self, name: str) -> Variant:
        """The variant of a name; 404 for an unknown one."""
        found = self.variants.get(name)
        if found is None:
            known = ", ".join(self.variants)
            raise ApiError(
                404, f"The model {name[:200]!r} does not exist; this server has {known}.", param="model",
                code="model_not_found",
            )  # fmt: skip
        return found

    def mode(self, variant: Variant, mode: str) -> Variant:
        """The same model asked in another way; the variant itself where this server does not have that way."""
        return next((other for other in [*self.variants.values(), *self.unlisted] if other.mode == mode), variant)

    def listed(self, variant: Variant) -> dict[str, Any]:
        """As ``/v1/models`` lists it."""
        return {
            "id": variant.id,
            "object": "model",
            "created": self.created,
            "owned_by": "selftaught",
            "max_model_len": self.max_context,
        }


def served_name(model: str, given: str | None, engine_name: str) -> str:
    """The name that clients see: as named, else the last part of a path or of a served model's name."""
    if given:
        return given
    name = engine_name if is_url(model) else model
    return re.sub(r"\.gguf$", "", PurePath(name).name) or "model"


def catalog_of(name: str, settings: RolloutSettings, manner: Manner, max_context: int) -> Catalog:
    """The variants of a model whose own settings are ``settings``."""
    hints = settings.hints.policy
    found, unlisted = [Variant(name, "", settings)], []
    if settings.tools.enabled:
        policy = hints if hints != "none" else (manner.hints if manner.hints not in (None, "none") else "auto")
        hinted = settings.changed(hints=policy, condition=f"serve+{policy}")
        plain = settings.changed(tools=False, hints="none", condition="serve+no-tools")
        found.append(Variant(f"{name}:{HINT}", HINT, hinted))
        found.append(Variant(f"{name}:{NO_TOOLS}", NO_TOOLS, plain))
        rounds = max(settings.hints.rounds, settings.tools.max_tool_calls)
        required = settings.changed(hints=_UNTIL_CALLED, rounds=rounds, condition="serve+required")
        unlisted.append(Variant(name, REQUIRED, required))
    return Catalog({variant.id: variant for variant in found}, max_context, tuple(unlisted))
