"""Settings of a rollout: everything that decides which tokens are produced, and how the work is spread.

The command line's options are made from these models (`selftaught.cli.options`): a field's docstring is its help text.
Recipes, evaluation plans and ``run.json`` use flat keys (``temperature``, ``tool_timeout_s``); `nested` reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from selftaught.complaints import complaint as what_is_wrong
from selftaught.complaints import shown
from selftaught.errors import ConfigError
from selftaught.manner import ThinkStyle

if TYPE_CHECKING:
    from selftaught.engines.base import SamplingParams

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
Device = Annotated[str, Field(pattern=r"^(cpu|mps|(cuda|xpu)(:\d{1,3})?)$")]

_MOST = 1 << 31
_UNBOUNDED = 1 << 16
"""Bounds from here on only keep out what no machine can do; help and errors do not name them."""


class Group(BaseModel):
    """A part of `RolloutSettings`. Docstrings of fields are their descriptions."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class SamplingSettings(Group):
    """What is drawn from the model."""

    temperature: float = Field(default=0.0, ge=0, le=10)
    """Temperature of sampling; 0 is greedy."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Share of the probability that is sampled from."""
    max_tokens: int = Field(default=32_768, ge=1, lt=_MOST)
    """Most tokens after the prompt, whoever wrote them."""
    samples: int = Field(default=1, ge=1, le=100_000)
    """Samples of each problem."""
    first_sample: int = Field(default=0, ge=0, lt=_MOST)
    """Number of the first sample, to add samples to an earlier run's."""
    seed: int = Field(default=0, ge=-_MOST, lt=_MOST)
    """Seed of sampling and hints."""
    system: str | None = Field(default=None, max_length=1_000_000)
    """System message of the chat template."""
    think_style: ThinkStyle = ThinkStyle.AUTO
    """Where thinking ends; auto: as the model's folder says, else by whether the model knows the tag </think>."""
    repetition_window: int = Field(default=240, ge=0, lt=_MOST)
    """Model tokens at the end that are looked at for a loop; 0 switches the check off."""
    logprobs: Literal["none", "triggers", "tokens"] = "none"
    """Record how sure the model is: where hints are considered (triggers), or of each sampled token too (tokens)."""
    trajectory_timeout_s: float | None = Field(default=None, gt=0, le=1e9)
    """Seconds that one trajectory may take; without it, no limit."""

    def params(self) -> SamplingParams:
        """The engine's part."""
        from selftaught.engines.base import SamplingParams

        return SamplingParams(self.temperature, self.top_p)


class ToolSettings(Group):
    """The model's Python."""

    enabled: bool = True
    """Run the model's Python. Without it, code blocks are not offered to the sampler inside thinking."""
    max_tool_calls: int = Field(default=6, ge=0, lt=_MOST)
    """Most calls of a trajectory."""
    at_call_cap: Literal["notice", "stop"] = "notice"
    """What a block beyond the most calls gets: one notice in the text that no calls are left, or the end."""
    last_block: Literal["auto", "run", "leave"] = "auto"
    """A Python block of the model's that a turn without think tags ends with: auto runs it unless a program is asked
    for."""
    tool_timeout_s: float = Field(default=30.0, ge=0.05, le=86_400)
    """Seconds that a call may take."""
    tool_memory_mb: int | None = Field(default=None, ge=16, le=1 << 20)
    """MiB that a call may allocate; by default the sandbox's 1024."""
    max_output_chars: int = Field(default=4_000, ge=100, lt=_MOST)
    """Longest tool output shown to the model; the middle of a longer one is cut."""
    max_code_bytes: int = Field(default=100_000, ge=1, lt=_MOST)
    """Longer code is not run."""
    preload: tuple[str, ...] | None = Field(default=None, max_length=1000)
    """Modules that the sandbox imports once before any call; by default numpy, sympy, scipy, mpmath, networkx."""
    figures: int = Field(default=0, ge=0, le=64)
    """Most figures of matplotlib's that a call gives back as images; 0: none, and matplotlib is not preloaded."""
    keep_state: bool = True
    """Keep the interpreter's variables from one block of a trajectory to the next."""
    cache_tools: bool = True
    """Run deterministic code once and use its result again."""


class HintSettings(Group):
    """What is said to the model in mid-thought."""

    policy: str = Field(default="none", min_length=1, max_length=4096)
    """Policy of the hint library (none, auto, math, code, end, early, careful, …), a YAML file[:policy], or FILE.json of `hints learn`."""
    rounds: int = Field(default=0, ge=0, le=1000)
    """Most end-of-thinking rounds on top of what the policy does by itself."""
    record_rounds: bool = False
    """Fork at every end of thinking, and keep a trajectory for each round."""
    language: Literal["en", "zh"] = "en"
    """Language of hints and notices."""


class EngineSettings(Group):
    """How the model is held or reached."""

    model_name: str | None = Field(default=None, max_length=4096)
    """Name of the model on a server."""
    tokenizer: str | None = Field(default=None, max_length=4096)
    """Folder or hub id of a served model's tokenizer, if the server's own folder is not here."""
    allow_text: bool = False
    """Take a server that gives text without token ids; not for training unless curated so."""
    dtype: Dtype = "auto"
    """Number type of a local model; auto: as stored, bfloat16 only where the processor multiplies it fast."""
    device: Device | None = None
    """cpu, cuda or cuda:N; by default cuda where torch sees a GPU, else cpu."""
    threads: int = Field(default=1, ge=0, le=1024)
    """CPU threads of a local model, per worker; 0 leaves torch's own choice."""


class SpreadSettings(Group):
    """How the work is spread. It changes no trajectory."""

    workers: int = Field(default=0, ge=0, le=1024)
    """Worker processes; 0 works in this process."""
    sandbox_workers: int | None = Field(default=None, ge=1, le=1024)
    """Calls of the tool at once, per worker; by default 2, with a server 8."""
    max_rows: int = Field(default=64, ge=1, le=65_536)
    """Rows that generate at once, per worker; with a server, its requests at once."""


GROUPS: dict[str, type[Group]] = {
    "sampling": SamplingSettings,
    "tools": ToolSettings,
    "hints": HintSettings,
    "engine": EngineSettings,
    "spread": SpreadSettings,
}
"""Name of the group → its model, in the order of the help pages."""

_FLAT_NAMES = {("tools", "enabled"): "tools", ("hints", "policy"): "hints"}
"""Fields whose flat key is not their own name: on disk, a group's switch bears the group's name."""

_NO_CONTENT = {"workers", "sandbox_workers", "max_rows", "threads", "device", "allow_text"}
"""Flat keys that change no trajectory."""


class RolloutSettings(Group):
    """What one rollout run does. The defaults are the paper's: at most 6 calls, 32,768 tokens, greedy.

    Takes its groups, or flat keys: ``RolloutSettings(hints="auto", temperature=0.6)``.
    """

    condition: str = Field(default="base", min_length=1, max_length=1000)
    """Name written into every trajectory, such as base+hint."""
    sampling: SamplingSettings = SamplingSettings()
    tools: ToolSettings = ToolSettings()
    hints: HintSettings = HintSettings()
    engine: EngineSettings = EngineSettings()
    spread: SpreadSettings = SpreadSettings()

    @model_validator(mode="before")
    @classmethod
    def _take_flat_keys(cls, values: Any) -> Any:
        return nested(values) if isinstance(values, Mapping) else values

    def flat(self) -> dict[str, Any]:
        """Every setting by its flat key, as recipes and ``run.json`` have it."""
        return {"condition": self.condition} | {
            key: getattr(getattr(self, group), name) for key, (group, name, _) in FLAT.items()
        }

    def changed(self, **flat: object) -> RolloutSettings:
        """A copy in which some settings, by flat key, differ. Raises ValidationError, as the constructor does."""
        return RolloutSettings.model_validate({**self.flat(), **flat})

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> RolloutSettings:
        """As pydantic's, for groups and the condition; TypeError for a flat key, which `changed` takes."""
        unknown = set(update or ()) - set(type(self).model_fields)
        if unknown:
            raise TypeError(f"model_copy: {', '.join(sorted(unknown))}; flat keys go to changed().")
        return super().model_copy(update=update, deep=deep)

    def content(self) -> dict[str, object]:
        """What decides the trajectories, by flat key: no settings that only spread the work or allow a server."""
        dumped = self.model_dump(mode="json")
        content = {key: dumped[group][name] for key, (group, name, _) in FLAT.items() if key not in _NO_CONTENT}
        return {"condition": self.condition, **content}


def _fields() -> Iterator[tuple[str, tuple[str, str, FieldInfo]]]:
    for group, model in GROUPS.items():
        for name, field in model.model_fields.items():
            yield _FLAT_NAMES.get((group, name), name), (group, name, field)


FLAT: dict[str, tuple[str, str, FieldInfo]] = dict(_fields())
"""Flat key → (group, field's name, field)."""


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by group from any mixture of groups and flat keys.

    A mapping or a group under a group's name is the group itself; anything else there (``tools: true``, ``hints:
    auto``) is the flat key of the same name. Unknown keys stay, for the model to refuse.
    """
    result: dict[str, Any] = {}
    for key, value in values.items():
        if key in GROUPS and isinstance(value, Mapping | Group):
            given = dict(value) if isinstance(value, Mapping) else value.model_dump(exclude_unset=True)
            result[key] = {**result.get(key, {}), **given}
        elif key in FLAT:
            group, name, _ = FLAT[key]
            result[group] = {**result.get(group, {}), name: value}
        else:
            result[key] = value
    return result


# ----------------------------------------------------------------------------------------------------- bounds and
# errors


def expected(key: str) -> str:
    """What a setting takes, in words: ``above 0, at most 1``; empty where anything of its type goes."""
    field = FLAT[key][2]
    choices = choices_of(field.annotation)
    if choices:
        return f"one of {', '.join(choices)}"
    parts = []
    for name, words in (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below")):
        bounds = [getattr(item, name) for item in field.metadata if getattr(item, name, None) is not None]
        if bounds and abs(bounds[0]) < _UNBOUNDED:
            parts.append(f"{words} {bounds[0]:g}")
    return ", ".join(parts)


def choices_of(annotation: Any) -> list[str]:
    """The values of an enumeration or Literal, None left out; empty for other types."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [str(item.value) for item in annotation]
    found = [str(item) for item in get_args(annotation) if isinstance(item, str)]
    return found or [text for item in get_args(annotation) if get_args(item) for text in choices_of(item)]


def checked_settings(values: Mapping[str, Any], name: Callable[[str], str] = str, where: str = "") -> RolloutSettings:
    """Settings from flat keys or groups.

    ConfigError in one line; ``name`` turns a flat key into what the user wrote.
    """
    try:
        return RolloutSettings.model_validate(values)
    except ValidationError as error:
        raise ConfigError(where + complaint(error, name)) from None


def complaint(error: ValidationError, name: Callable[[str], str] = str) -> str:
    """The first mistake as ``--top-p is 2; expected above 0, at most 1.``"""
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    key = next((key for key, (group, own, _) in FLAT.items() if place[:2] == [group, own]), ".".join(place))
    if first["type"] == "extra_forbidden":
        near = get_close_matches(place[-1], FLAT, n=1)
        meant = f"Did you mean {near[0]}?" if near else f"Expected one of {', '.join(FLAT)}."
        return f"{key}: no such key. {meant}"
    wanted = expected(key) if key in FLAT else ""
    if first["type"] == "string_pattern_mismatch" and key == "device":
        wanted = "cpu, cuda, cuda:N, mps or xpu"
    if not wanted or (first["type"].startswith("less") and "below" not in wanted and "at most" not in wanted):
        return what_is_wrong(error, name=lambda _: name(key))
    return f"{name(key)} is {shown(first['input'])}; expected {wanted}."
