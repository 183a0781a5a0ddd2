"""The small files of a model folder, read once: everything about a model except its weights.

`ModelFiles` is what the codec, the chat template and the engines need to know before they load a weight. It is read
from a folder in the Hugging Face layout. Another container (a single file that holds all) gives the same record.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from selftaught.errors import EngineError


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """Configuration and tokenizer of one model, as the files say it."""

    place: Path
    """The folder, for messages."""
    tokenizer: dict[str, Any]
    """``tokenizer.json``: vocabulary, merges, added tokens, normalizer, pre-tokenizer, decoder."""
    tokenizer_config: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    generation_config: dict[str, Any] = field(default_factory=dict)
    chat_template: str | None = None
    """Jinja source; None when the model ships none."""

    @classmethod
    def read(cls, folder: Path) -> ModelFiles:
        """From a model folder. EngineError when ``tokenizer.json`` is missing or a file is no JSON object."""
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise EngineError(f"{path} is missing; expected a model folder with a fast tokenizer.")
        tokenizer = read_json_object(path)
        if not isinstance(tokenizer.get("model"), dict):
            raise EngineError(f"{path} has no 'model'; expected the format of the tokenizers library.")
        tokenizer_config = read_json_object(folder / "tokenizer_config.json")
        names = read_json_object(folder / "special_tokens_map.json")
        return cls(
            place=folder,
            tokenizer=tokenizer,
            tokenizer_config={**names, **{key: value for key, value in tokenizer_config.items() if value is not None}},
            config=read_json_object(folder / "config.json"),
            generation_config=read_json_object(folder / "generation_config.json"),
            chat_template=_chat_template(folder, tokenizer_config),
        )


def read_json_object(path: Path) -> dict[str, Any]:
    """The object in ``path``; empty if there is no such file. EngineError for anything else than a JSON object."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise EngineError(f"{path} cannot be read ({error}); expected a JSON object.") from None
    if not isinstance(value, dict):
        raise EngineError(f"{path} holds a {type(value).__name__}; expected a JSON object.")
    return value


def _chat_template(folder: Path, tokenizer_config: dict[str, Any]) -> str | None:
    """The Jinja source, from the newest place to the oldest: a file of its own, then inside a configuration."""
    path = folder / "chat_template.jinja"
    if path.is_file():
        return path.read_text("utf-8")
    source: Any = read_json_object(folder / "chat_template.json").get("chat_template")
    source = source or tokenizer_config.get("chat_template")
    if isinstance(source, list):  # several named ones
        named = {entry.get("name"): entry.get("template") for entry in source if isinstance(entry, dict)}
        source = named.get("default") or next(iter(named.values()), None)
    return source if isinstance(source, str) and source else None
