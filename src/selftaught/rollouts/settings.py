"""Settings of a rollout: everything that decides which tokens are produced, and how the work is spread."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from selftaught.engines.base import SamplingParams


class ThinkStyle(StrEnum):
    """Where thinking ends."""

    AUTO = "auto"
    """Tags if the model knows ``</think>`` as one token, else the whole turn."""
    TAGS = "tags"
    WHOLE_TURN = "whole_turn"
    """The whole turn is thinking (QwQ-32B-Preview): the end token ends it."""


class RolloutSettings(BaseModel):
    """What one rollout run does. The defaults are the paper's: at most 6 calls, 32,768 tokens, greedy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    condition: str = "base"
    """Name written into every trajectory, e.g. ``base+hint``."""
    hints: str = "none"
    """A policy of the hint library (``none``, ``auto``, ``math``, ``code``, ``end``, …) or the path of a library file;
    ``FILE:policy`` picks another policy than ``auto`` in it."""
    tools: bool = True
    """Run model-written Python. When False, fence tokens are not offered to the sampler inside thinking."""
    rounds: int = Field(default=0, ge=0)
    """Most end-of-thinking rounds on top of what the policy does by itself."""
    record_rounds: bool = False
    """Fork at every end of thinking, so that one run yields a trajectory ``…@r`` for each round 0…rounds."""
    max_tool_calls: int = Field(default=6, ge=0)
    max_tokens: int = Field(default=32_768, ge=1)
    """Most tokens after the prompt, whoever wrote them."""
    temperature: float = Field(default=0.0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    samples: int = Field(default=1, ge=1)
    first_sample: int = Field(default=0, ge=0)
    """Number of the first sample, to add samples to an earlier run's."""
    seed: int = 0
    language: Literal["en", "zh"] = "en"
    system: str | None = None
    """System message of the chat template, if any."""
    think_style: ThinkStyle = ThinkStyle.AUTO
    at_call_cap: Literal["notice", "stop"] = "notice"
    """What a block beyond the cap gets: one notice in the text that no calls are left, or the end."""
    repetition_window: int = Field(default=240, ge=0)
    """Model tokens at the end that are looked at for a loop; 0 switches the check off."""

    tool_timeout_s: float = Field(default=30.0, gt=0)
    tool_memory_mb: int | None = None
    max_output_chars: int = Field(default=4_000, ge=100)
    """Longest tool output shown to the model; the middle of a longer one is cut."""
    max_code_bytes: int = Field(default=100_000, ge=1)
    """Longer code is not run."""
    preload: tuple[str, ...] | None = None
    """Modules that the sandbox imports once before any call; None means its default (numpy, sympy, …)."""
    keep_state: bool = True
    """The interpreter keeps its variables from one block of a trajectory to the next."""
    cache_tools: bool = True
    """Deterministic code is run once and its result reused."""
    trajectory_timeout_s: float | None = None

    workers: int = Field(default=0, ge=0)
    """Worker processes, one thread each; 0 runs in this process."""
    sandbox_workers: int | None = Field(default=None, ge=1)
    """Sandbox processes that each worker may use at once; by default 2 beside a model in the same process, 8 beside a
    server, where calls mostly wait for a turn on the processor."""
    max_rows: int = Field(default=64, ge=1)
    """Rows that generate at once, per worker; with a server, the requests it has to answer at once."""
    threads: int = Field(default=1, ge=0)
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Number type of a local model; auto: as stored, bfloat16 only where the processor multiplies it fast."""
    device: str | None = None
    model_name: str | None = None
    tokenizer: str | None = None
    """Folder or hub id of a served model's tokenizer, when the server's own path cannot be read here."""
    allow_text: bool = False
    """Use a server that gives text without token ids. Its trajectories are marked ``text_only``; training
    refuses them unless curation is told to encode them."""

    def sampling(self) -> SamplingParams:
        """The engine's part."""
        return SamplingParams(self.temperature, self.top_p)

    def content(self) -> dict[str, object]:
        """What decides the trajectories: the settings without those that only spread the work or allow a server."""
        spread = {"workers", "sandbox_workers", "max_rows", "threads", "device", "allow_text"}
        return self.model_dump(mode="json", exclude=spread)
