"""What both APIs read from a request in the same way: sampling values, the client's tools, and how the model is asked.

Unknown fields are ignored, as every server of this API does. A known one that would change the answer and that we cannot
honour is refused by name.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from selftaught.rollouts.settings import RolloutSettings
from selftaught.serve.errors import ApiError, invalid, unsupported
from selftaught.serve.models import HINT, NO_TOOLS, REQUIRED, Catalog, Variant

RequestT = TypeVar("RequestT", bound=BaseModel)

_SEED_BITS = 31
Mode = Literal["auto", "hint", "no-tools", "required"]
_MODES: dict[str, str] = {"auto": "", "hint": HINT, "no-tools": NO_TOOLS, "required": REQUIRED}


class Lenient(BaseModel):
    """A part of a request: fields that are not named here are kept out of sight."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


class StartOptions(Lenient):
    """Our own extension, the object ``start`` of a request."""

    events: bool = False
    """Send status lines and other events that only some clients know."""
    mode: Mode | None = None
    """How the model is asked, whatever its name says."""


class Sampled(Lenient):
    """Fields of both APIs."""

    model: str = Field(max_length=1_000)
    stream: bool | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    seed: Annotated[int, Field(ge=-(1 << 63), lt=1 << 64)] | None = None
    metadata: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = Field(default=None, max_length=1_000)
    tool_choice: str | dict[str, Any] | None = None
    start: StartOptions = StartOptions()


def parse(kind: type[RequestT], body: Mapping[str, Any]) -> RequestT:
    """``body`` as a request. `ApiError` 400 names the first field that is wrong."""
    try:
        return kind.model_validate({key: value for key, value in body.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        name = str(first["loc"][0]) if first["loc"] else None
        if first["type"] == "missing":
            raise ApiError(400, f"{place} is missing.", param=name, code="missing_required_parameter") from None
        raise invalid(f"{place}: {first['msg']}.", name) from None


@dataclass(frozen=True)
class Asked:
    """How a request is to be answered."""

    variant: Variant
    settings: RolloutSettings
    has_seed: bool
    ignored_tools: tuple[str, ...] = ()
    """Names of the client's own tools: the model does not see them."""

    def headers(self) -> dict[str, str]:
        """What the client is told beside the answer."""
        if not self.ignored_tools:
            return {}
        names = ", ".join(self.ignored_tools).encode("ascii", "replace").decode()
        clean = "".join(char if char.isprintable() else "?" for char in names)
        return {"x-start-ignored-tools": clean[:500]}


def how_to_ask(catalog: Catalog, request: Sampled, max_tokens: int | None) -> Asked:
    """Variant and settings of a request. `ApiError` 404 for an unknown model, 400 for what cannot be honoured."""
    variant = catalog[request.model]
    functions = function_names(request.tools)
    mode = _MODES[request.start.mode] if request.start.mode is not None else _chosen_mode(request, functions)
    if mode is not None:
        variant = catalog.mode(variant, mode)
    given: dict[str, Any] = {}
    if request.temperature is not None:
        given["temperature"] = request.temperature
    if request.top_p is not None:
        given["top_p"] = max(request.top_p, 1e-6)  # 0 is the most likely token alone
    if request.seed is not None:
        given["seed"] = request.seed % (1 << _SEED_BITS)
    if max_tokens is not None:
        given["max_tokens"] = min(max_tokens, variant.settings.sampling.max_tokens)
    settings = variant.settings.changed(**given) if given else variant.settings
    return Asked(variant, settings, request.seed is not None, tuple(functions))


def function_names(tools: list[dict[str, Any]] | None) -> list[str]:
    """Names of the client's own functions among ``tools``."""
    names = []
    for tool in tools or ():
        if tool.get("type", "function") in ("function", "custom"):
            inner = tool.get(str(tool.get("type", "function")))
            name = inner.get("name") if isinstance(inner, Mapping) else tool.get("name")
            names.append(name if isinstance(name, str) and name else "unnamed")
    return names


def _chosen_mode(request: Sampled, functions: list[str]) -> str | None:
    """What ``tool_choice`` says of our Python; None where it says nothing, or is about the client's own functions."""
    choice = request.tool_choice
    if isinstance(choice, dict):
        kind = choice.get("type")
        if kind == "code_interpreter":
            return REQUIRED
        if kind in ("auto", "none"):
            choice = str(kind)
        elif kind == "allowed_tools":
            inner = choice.get("allowed_tools")
            choice = (inner if isinstance(inner, dict) else choice).get("mode")
        else:
            raise _no_functions()
    if choice is None:
        return None
    if choice not in ("auto", "none", "required"):
        raise invalid("tool_choice must be none, auto, required or an object.", "tool_choice")
    interpreter = any(tool.get("type") == "code_interpreter" for tool in request.tools or ())
    if functions and not interpreter:
        if choice == "required":
            raise _no_functions()
        return None  # it is about the client's functions, which the model does not see
    return {"auto": None, "none": NO_TOOLS, "required": REQUIRED}[choice]


def _no_functions() -> ApiError:
    return unsupported(
        "tool_choice",
        "this model runs Python by itself and calls no functions of the client's; leave tool_choice out, or at auto.",
    )


def fresh_sample() -> int:
    """A sample number for a request that names no seed: another draw each time."""
    return secrets.randbelow(1 << _SEED_BITS)
