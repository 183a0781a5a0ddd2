"""Tokenizers of several kinds, without a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selftaught.engines.tiny import write_tokenizer
from selftaught.tokens import Codec

from .sentencepiece import STYLES, write_sentencepiece


@pytest.fixture(scope="session")
def byte_level(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    """A byte-level BPE tokenizer that cuts é, 中 and 🙂 into several tokens."""
    folder = tmp_path_factory.mktemp("byte-level")
    size = write_tokenizer(folder)
    (folder / "config.json").write_text(json.dumps({"vocab_size": size, "eos_token_id": size - 3}))
    return Codec(folder)


@pytest.fixture(scope="session")
def sentencepiece_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One folder for each way that SentencePiece tokenizers are written down."""
    place = tmp_path_factory.mktemp("sentencepiece")
    return {style: write_sentencepiece(place / style, style) for style in STYLES}
