"""From a model's name to its folder: the embedded reasoner, a local folder, a GGUF file, or a hub id."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from selftaught.errors import EngineError, MissingPartError
from selftaught.tokens.gguf import gguf_folder, gguf_tokenizer_folder

EMBEDDED_FOLDER = Path(__file__).resolve().parent.parent / "toy" / "weights"
"""The embedded reasoner's folder, part of the package. It stands here so that its tokenizer needs nothing else of
it."""

_EVERYTHING = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model")
_TOKENIZER_ONLY = ("tokenizer*", "special_tokens_map.json", "*.jinja", "*config.json")


def is_url(model: str) -> bool:
    """True for a served model (or a comma-separated list of base URLs)."""
    return model.startswith(("http://", "https://"))


def resolve_model(model: str) -> Path:
    """The folder of ``model``: a local folder, ``toy`` (the embedded reasoner), a ``.gguf`` file (its folder is written
    once), or a hub id (downloaded once). EngineError if there is none.
    """
    return _resolve(model, _EVERYTHING)


def tokenizer_folder(model: str) -> Path:
    """A folder with the tokenizer of ``model``. Of a hub model only the tokenizer's files are downloaded, of a ``.gguf``
    file only the tokenizer is written.
    """
    return _resolve(model, _TOKENIZER_ONLY)


def embedded_folder() -> Path:
    """The embedded reasoner's folder, in the Hugging Face layout. MissingPartError when it was not installed."""
    if not (EMBEDDED_FOLDER / "config.json").exists():
        raise MissingPartError(
            f"the embedded model is not in {EMBEDDED_FOLDER}; expected config.json there. Reinstall selftaught, or run `selftaught toy pretrain`."
        )
    return EMBEDDED_FOLDER


def _resolve(model: str, patterns: Sequence[str]) -> Path:
    if model == "toy":
        return embedded_folder()
    if not model.strip():
        raise EngineError("the model's name is ''; expected a folder, a hub id (owner/name), `toy` or http://…/v1.")
    folder = Path(model).expanduser()
    if folder.suffix.lower() == ".gguf":
        return gguf_tokenizer_folder(folder) if patterns is _TOKENIZER_ONLY else gguf_folder(folder)
    if (folder / "config.json").is_file() or (patterns is _TOKENIZER_ONLY and (folder / "tokenizer.json").is_file()):
        return folder
    if folder.exists():
        raise EngineError(f"{folder} has no config.json; expected a model folder in the Hugging Face layout.")
    if model.startswith((".", "/", "~")) or model.count("/") != 1:
        raise EngineError(
            f"model {model!r} was not found; expected a folder, a .gguf file, a hub id (owner/name), `toy` or http://…/v1."
        )
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(model, allow_patterns=list(patterns)))
    except Exception as error:
        raise EngineError(
            f"model {model!r} could not be downloaded ({type(error).__name__}: {error}).".replace("\n", " ")
        ) from None


def model_digest(folder: Path) -> str:
    """A short hash of a model folder: its configuration, tokenizer and the size and head of each weight file."""
    digest = hashlib.sha256()
    for name in (
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "generation_config.json",
        "chat_template.jinja",
    ):
        path = folder / name
        digest.update(json.dumps([name, path.read_bytes().hex() if path.is_file() else None]).encode())
    for path in sorted(folder.glob("*.safetensors")):
        digest.update(f"{path.name}:{path.stat().st_size}".encode())
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
                if path.stat().st_size > 1 << 28:  # of very large files the head is enough to tell two models apart
                    break
    return digest.hexdigest()[:16]


def model_source(model: str) -> str:
    """A model as transformers takes it: a local folder (``toy`` and GGUF files resolved), or a hub id, which it
    fetches itself.
    """
    return str(resolve_model(model)) if model == "toy" or model.lower().endswith(".gguf") else model
