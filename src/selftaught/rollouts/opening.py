"""From settings to what a rollout works with: the engine, the sandbox, and the model's own manner.

Everybody who asks a model comes through here: worker processes, `infer`, `serve`, the Python interface.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from selftaught.engines.load import load_engine
from selftaught.manner import Manner, ThinkStyle, read_manner
from selftaught.rollouts.settings import RolloutSettings
from selftaught.tokens.folder import embedded_folder, is_url

if TYPE_CHECKING:
    from selftaught.engines.base import Engine
    from selftaught.sandbox import Sandbox, SandboxSettings


def open_engine(settings: RolloutSettings, model: str, share: str | None = None) -> Engine:
    """Load or reach ``model``: ``toy``, a folder, a GGUF file, a hub id or base URLs. Raises EngineError,
    MissingPartError, ConfigError.

    ``share``: a memory file in which processes with the same model keep its weights once.
    """
    engine = settings.engine
    return load_engine(
        model,
        threads=engine.threads,
        dtype=engine.dtype,
        model_name=engine.model_name,
        tokenizer=engine.tokenizer,
        allow_text=engine.allow_text,
        max_rows=settings.spread.max_rows,
        device=engine.device,
        share=share,
    )


def engine_key(settings: RolloutSettings, model: str) -> tuple[object, ...]:
    """Equal for settings under which an engine that is open already can be used again."""
    return model, settings.spread.max_rows, *settings.engine.model_dump().values()


def num_sandbox_workers(settings: RolloutSettings, model: str) -> int:
    """Calls of the tool at once: as the settings say, else 2, or 8 with a server, where most calls wait."""
    return settings.spread.sandbox_workers or (8 if is_url(model) else 2)


def sandbox_settings(settings: RolloutSettings, model: str) -> SandboxSettings:
    """The sandbox's own settings."""
    from selftaught.sandbox import SandboxSettings

    tools = settings.tools
    given: dict[str, Any] = {"workers": num_sandbox_workers(settings, model), "timeout_s": tools.tool_timeout_s}
    if tools.tool_memory_mb is not None:
        given["memory_bytes"] = tools.tool_memory_mb << 20
    if tools.figures:
        given["max_images"] = tools.figures
    if tools.preload is not None:
        given["preload"] = tools.preload
    return SandboxSettings(**given)


def open_sandbox(settings: RolloutSettings, model: str) -> Sandbox:
    """A sandbox for the model's code, to be entered with ``async with``. It starts nothing before that."""
    from selftaught.sandbox import Sandbox

    return Sandbox(sandbox_settings(settings, model))


def manner_of(engine: Engine) -> Manner:
    """The manner of an open model: of its folder, or for a served one of the folder that its tokenizer came from."""
    return read_manner(engine.codec.folder)


def manner_before(model: str, tokenizer: str | None = None) -> Manner:
    """The manner of a model that is not open yet, for defaults: of its folder, or of a served model's tokenizer folder.

    The default where that folder is not on this machine.
    """
    name = tokenizer if is_url(model) else model
    if name == "toy":
        return read_manner(embedded_folder())
    folder = Path(name or "").expanduser()
    return read_manner(folder) if name and folder.is_dir() else Manner()


def in_manner(settings: RolloutSettings, manner: Manner) -> RolloutSettings:
    """Settings with what they leave to the model's manner filled in."""
    if settings.sampling.think_style is not ThinkStyle.AUTO:
        return settings
    sampling = settings.sampling.model_copy(update={"think_style": manner.think_style})
    return settings.model_copy(update={"sampling": sampling})
