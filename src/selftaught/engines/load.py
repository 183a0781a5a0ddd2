"""From a model's name to a running engine."""

from __future__ import annotations

from selftaught.engines.base import Engine
from selftaught.errors import ConfigError, EngineError
from selftaught.keys import model_server_key
from selftaught.tokens.folder import is_url, resolve_model
from selftaught.tokens.weight_files import find_weight_files


def load_engine(
    model: str,
    *,
    threads: int = 1,
    dtype: str = "auto",
    model_name: str | None = None,
    max_rows: int = 64,
    device: str | None = None,
    tokenizer: str | None = None,
    allow_text: bool = False,
    share: str | None = None,
) -> Engine:
    """Open ``model``.

    A folder or hub id of a Qwen2, Qwen3 or Llama model runs in the slot engine, any other architecture through
    transformers, ``http://…/v1`` (several, comma-separated, for replicas) through a server. ``model_name`` names the
    model on a server, ``tokenizer`` the folder or hub id of its tokenizer if the server's own path is not readable
    here, ``allow_text`` takes a server that gives text without token ids. The environment's ``SELFTAUGHT_MODEL_API_KEY``,
    else ``SELFTAUGHT_API_KEY``, goes to a server as its bearer token. ``dtype`` auto is explained in `selftaught.engines.dtype`. ``share`` is a memory file in
    which processes with the same model keep its weights once. EngineError tells what is missing.
    """
    if max_rows < 1:
        raise ConfigError(f"max_rows is {max_rows}; expected 1 or more.")
    if is_url(model):
        from selftaught.engines.http import HttpEngine

        return HttpEngine(
            [url.strip() for url in model.split(",") if url.strip()],
            model_name=model_name,
            tokenizer=tokenizer,
            max_rows=max_rows,
            allow_text=allow_text,
            api_key=model_server_key(),
        )
    folder = resolve_model(model)
    if importable := _missing_torch():
        raise EngineError(importable)
    from selftaught.engines.shape import ModelShape, UnsupportedArchitecture

    name = model_name or model
    try:
        ModelShape.read(folder)
    except UnsupportedArchitecture:
        find_weight_files(folder)  # refuses two sets that disagree: transformers would take one of them silently
        from selftaught.engines.fallback import TransformersEngine

        return TransformersEngine(folder, max_rows=max_rows, threads=threads, dtype=dtype, device=device, name=name)
    from selftaught.engines.local import LocalEngine

    return LocalEngine(folder, max_rows=max_rows, threads=threads, dtype=dtype, device=device, name=name, share=share)


def _missing_torch() -> str | None:
    import importlib.util

    if importlib.util.find_spec("torch") is None:
        return "the local engine needs torch; pip install 'selftaught[local]', or use a server: --model http://…/v1."
    return None
