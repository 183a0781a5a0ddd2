"""From a name to a folder, and the digest that tells two models apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from selftaught.errors import EngineError
from selftaught.tokens.folder import EMBEDDED_FOLDER, is_url, model_digest, resolve_model, tokenizer_folder


def test_names() -> None:
    assert resolve_model("toy") == tokenizer_folder("toy") == EMBEDDED_FOLDER
    assert resolve_model(str(EMBEDDED_FOLDER)) == EMBEDDED_FOLDER
    assert is_url("http://host:8000/v1,http://other/v1") and not is_url("owner/name")


@pytest.mark.parametrize("name", ["nothing", "./nothing", "/no/where", "~/no/where", "a/b/c"])
def test_what_is_not_there(name: str) -> None:
    with pytest.raises(EngineError, match=r"was not found; expected a folder, a .gguf file, a hub id"):
        resolve_model(name)


def test_a_tokenizer_needs_no_model_beside_it(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"no config\.json"):
        tokenizer_folder(str(tmp_path))
    (tmp_path / "tokenizer.json").write_text("{}")
    assert tokenizer_folder(str(tmp_path)) == tmp_path
    with pytest.raises(EngineError, match=r"no config\.json"):
        resolve_model(str(tmp_path))


def test_a_digest_depends_on_what_a_model_says(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"1234")
    first = model_digest(tmp_path)
    (tmp_path / "README.md").write_text("anything")
    assert model_digest(tmp_path) == first
    (tmp_path / "model.safetensors").write_bytes(b"1235")
    second = model_digest(tmp_path)
    (tmp_path / "chat_template.jinja").write_text("{{ messages }}")
    assert len({first, second, model_digest(tmp_path)}) == 3
