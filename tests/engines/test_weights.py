"""A tensor that is missing, too many or of another shape is an error, never ignored."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from selftaught.engines import load_engine
from selftaught.engines.local import LocalEngine
from selftaught.engines.tiny import make_tiny_model
from selftaught.errors import EngineError

Tensors = dict[str, torch.Tensor]


def changed(folder: Path, change: Callable[[Tensors], object], **config: object) -> Path:
    make_tiny_model(folder)
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **config}))
    return folder


@pytest.mark.parametrize(
    ("change", "config", "message"),
    [
        (lambda t: None, {"tie_word_embeddings": False}, "lm_head.weight is missing, and config.json does not say"),
        (lambda t: t.pop("model.norm.weight"), {}, "tensor model.norm.weight is missing"),
        (lambda t: t.pop("model.layers.1.mlp.down_proj.weight"), {}, "model.layers.1.mlp.down_proj.weight is missing"),
        (lambda t: t.update({"model.layers.0.self_attn.o_proj.bias": torch.zeros(64)}), {}, "o_proj.bias and 0 more"),
        (lambda t: None, {"num_hidden_layers": 1}, r"tensor model\.layers\.1\.\S+ and 11 more have no place"),
        (lambda t: None, {"hidden_size": 32}, r"is \[64\]; config.json asks for \[32\]"),
        (lambda t: t.update({"model.norm.weight": torch.zeros(9)}), {}, r"model.norm.weight is \[9\]"),
        (lambda t: t.update({"extra.layer": torch.zeros(9)}), {}, "extra.layer and 0 more have no place"),
    ],
)
def test_weights_that_do_not_fit(
    tmp_path: Path, change: Callable[[Tensors], object], config: dict[str, object], message: str
) -> None:
    with pytest.raises(EngineError, match=message):
        load_engine(str(changed(tmp_path, change, **config)))


@pytest.mark.parametrize("name", ["lm_head.weight", "model.layers.0.self_attn.rotary_emb.inv_freq"])
def test_what_may_stand_beside(tmp_path: Path, name: str) -> None:
    changed(tmp_path, lambda t: t.update({name: torch.zeros(400, 64)}))
    assert isinstance(load_engine(str(tmp_path)), LocalEngine)


def test_an_untied_head_is_used(tmp_path: Path) -> None:
    def add(tensors: Tensors) -> None:
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"] * 2

    engine = load_engine(str(changed(tmp_path, add, tie_word_embeddings=False)))
    assert isinstance(engine, LocalEngine)
    weights = engine.model.weights
    rows = torch.randn(3, engine.model.shape.hidden)
    assert torch.allclose(weights.head(rows), rows @ weights.embed_VC.t() * 2)


def test_two_sets_are_refused_for_every_architecture(tmp_path: Path) -> None:
    make_tiny_model(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    save_file({name: tensor + 1 for name, tensor in tensors.items()}, tmp_path / "model-00001-of-00001.safetensors")
    index = {"metadata": {}, "weight_map": dict.fromkeys(tensors, "model-00001-of-00001.safetensors")}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(EngineError, match="two sets of weights that disagree"):
        load_engine(str(tmp_path))
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "model_type": "gpt2"}))
    with pytest.raises(EngineError, match="two sets of weights that disagree"):
        load_engine(str(tmp_path))
