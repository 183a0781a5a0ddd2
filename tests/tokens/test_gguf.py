"""A GGUF file becomes a model folder that says the same; what is not known or damaged is refused with the reason."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from selftaught.engines import load_engine
from selftaught.engines.local import LocalEngine
from selftaught.engines.model import Prefill
from selftaught.engines.shape import ModelShape
from selftaught.engines.tiny import make_tiny_model
from selftaught.errors import EngineError
from selftaught.tokens import Codec, resolve_model
from selftaught.tokens.folder import tokenizer_folder
from selftaught.tokens.gguf.config import config_of, tensor_name
from selftaught.tokens.gguf.header import GgufHeader, read_header

from .sentencepiece import TEXT, write_sentencepiece

pytest.importorskip("gguf")
torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SELFTAUGHT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("family", ["qwen2", "qwen3", "llama"])
def test_the_model_of_a_file_is_the_folders(write_gguf: Callable[..., Path], tmp_path: Path, family: str) -> None:
    folder = make_tiny_model(tmp_path / "model", family=family)
    path = write_gguf(tmp_path / "model.gguf", folder)
    made, first = load_engine(str(path)), load_engine(str(folder))
    assert isinstance(made, LocalEngine) and isinstance(first, LocalEngine)
    prompt = first.codec.encode_chat("What is 12 + 30?")
    assert made.codec.encode_chat("What is 12 + 30?") == prompt
    assert made.codec.end_ids == first.codec.end_ids and made.max_context == first.max_context
    assert torch.equal(made.model.prefill([Prefill(0, 0, prompt)]), first.model.prefill([Prefill(0, 0, prompt)]))
    written = resolve_model(str(path))
    assert (
        resolve_model(str(path)) == written and json.loads((written / "config.json").read_text())["dtype"] == "float32"
    )


def test_a_served_file_gives_its_tokenizer_alone(write_gguf: Callable[..., Path], tmp_path: Path, cache: Path) -> None:
    folder = make_tiny_model(tmp_path / "model")
    path = write_gguf(tmp_path / "model.gguf", folder, general__architecture="gemma9")
    ours, theirs = Codec(tokenizer_folder(str(path))), Codec(folder)
    assert ours.encode_chat("What is 12 + 30?") == theirs.encode_chat("What is 12 + 30?")
    assert ours.end_ids == theirs.end_ids and not list(cache.rglob("*.safetensors"))
    assert tokenizer_folder(str(path)) == ours.folder
    known = write_gguf(tmp_path / "known.gguf", folder)
    assert resolve_model(str(known)) == tokenizer_folder(str(known))  # the whole one, once it is there


def test_added_tokens_may_be_products_of_merges(write_gguf: Callable[..., Path], tmp_path: Path) -> None:
    """As the embedded reasoner's pairs of digits."""
    folder = resolve_model("toy")
    ours, theirs = Codec(tokenizer_folder(str(write_gguf(tmp_path / "toy.gguf", folder, "qwen2")))), Codec(folder)
    for text in ("What is 12 + 305?", "print(1024 ** 2)\n", "It's 7.25, not 10000001."):
        assert ours.encode_chat(text) == theirs.encode_chat(text) and ours.decode(ours.encode(text)) == text


def test_quantised_weights_are_dequantised(write_gguf: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_tiny_model(tmp_path / "model")
    path = write_gguf(tmp_path / "model.gguf", folder, kind="Q8_0")
    made, first = load_engine(str(path), dtype="float32"), load_engine(str(folder))
    assert isinstance(made, LocalEngine) and isinstance(first, LocalEngine)
    prompt = list(range(40))
    ours, theirs = (one.model.prefill([Prefill(0, 0, prompt)]) for one in (made, first))
    assert 0 < (ours - theirs).abs().max() < 0.2 * theirs.abs().max()
    assert json.loads((resolve_model(str(path)) / "config.json").read_text())["dtype"] == "bfloat16"


def test_what_is_not_known_is_refused_with_the_reason(
    write_gguf: Callable[..., Path], tmp_path: Path, cache: Path
) -> None:
    path = write_gguf(tmp_path / "model.gguf", make_tiny_model(tmp_path / "model"))
    for key, value, message in [
        ("general__architecture", "gemma3", "architecture 'gemma3' is not known here; expected qwen2, qwen3, llama"),
        ("tokenizer__ggml__model", "bert", "tokenizer 'bert' is not known here"),
        ("tokenizer__ggml__pre", "tekken", "text is cut by 'tekken'"),
        ("qwen2__rope__scaling__type", "yarn", "rope scaling 'yarn' is not known here"),
    ]:
        header = read_header(path)
        header.values[key.replace("__", ".")] = value
        with pytest.raises(EngineError, match=message):
            _convert(header)
    assert not list(cache.rglob("config.json"))


def _convert(header: GgufHeader) -> None:
    from selftaught.tokens.gguf.vocabulary import tokenizer_of

    tokenizer_of(header)
    config_of(header, 400, "float32", None)


@pytest.mark.parametrize(
    ("keep", "message"), [(3, "not with b'GGUF'"), (40, "damaged|cut"), (9_000, "damaged|cut|missing")]
)
def test_a_damaged_file_is_one_line(
    write_gguf: Callable[..., Path], tmp_path: Path, keep: int, message: str, cache: Path
) -> None:
    path = write_gguf(tmp_path / "model.gguf", make_tiny_model(tmp_path / "model"))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(EngineError, match=message) as caught:
        resolve_model(str(path))
    assert "\n" not in str(caught.value) and not list(cache.rglob("config.json"))


def test_a_file_whose_data_end_early_leaves_no_folder(
    write_gguf: Callable[..., Path], tmp_path: Path, cache: Path
) -> None:
    path = write_gguf(tmp_path / "model.gguf", make_tiny_model(tmp_path / "model"))
    path.write_bytes(path.read_bytes()[:-1_000])
    with pytest.raises(EngineError, match="is cut or damaged at|its data are missing"):
        resolve_model(str(path))
    assert not list(cache.rglob("*.json"))
    with pytest.raises(EngineError, match="is not there"):
        resolve_model(str(tmp_path / "other.gguf"))


def test_llama3_rescaling_is_found_again(tmp_path: Path) -> None:
    """From the factors that llama.cpp's converter writes for Llama 3.2 to the setting that makes them."""
    header = GgufHeader(tmp_path, {"general.architecture": "llama", "llama.rope.freq_base": 500_000.0}, {})
    numbers = {"block_count": 1, "embedding_length": 64, "feed_forward_length": 8, "context_length": 9}
    header.values.update({f"llama.{key}": value for key, value in numbers.items()}, **{"llama.attention.head_count": 1})
    turns = [8192 * 500_000.0 ** (-i / 32) / (2 * np.pi) for i in range(32)]
    smooth = [min(1.0, max(0.0, (turn - 1) / 3)) for turn in turns]
    factors = [1 / ((1 - one) / 32 + one) for one in smooth]
    scaling = config_of(header, 400, "bfloat16", factors)["rope_scaling"]
    assert scaling["rope_type"] == "llama3" and scaling["factor"] == 32.0
    shape = ModelShape.of(config_of(header, 400, "bfloat16", factors), "here")
    plain = ModelShape.of(config_of(header, 400, "bfloat16", None), "here")
    assert np.allclose([a / b for a, b in zip(plain.inv_freq, shape.inv_freq, strict=True)], factors)
    with pytest.raises(EngineError, match="not Llama 3's rescaling"):
        config_of(header, 400, "bfloat16", [2.0] * 32)


def test_names() -> None:
    assert tensor_name("blk.3.attn_q.bias") == "model.layers.3.self_attn.q_proj.bias"
    assert tensor_name("output.weight") == "lm_head.weight"
    assert tensor_name("blk.3.ffn_gate_exps.weight") is None and tensor_name("v.blk.0.x.weight") is None


def test_a_sentencepiece_vocabulary(tmp_path: Path) -> None:
    """Scores instead of merges, as llama.cpp keeps Llama 2's tokenizer."""
    from selftaught.tokens.gguf.vocabulary import tokenizer_of

    folder = write_sentencepiece(tmp_path / "sp", "llama-2")
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    rank = {"".join(merge): at for at, merge in enumerate(model["merges"])}
    values = {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": [-float(rank.get(token, 1e6)) for token in tokens],
        "tokenizer.ggml.token_type": [2, 3, 3, *[6] * 256, *[1] * (len(tokens) - 259)],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
    }
    spec, config = tokenizer_of(GgufHeader(tmp_path, values, {}))
    made = tmp_path / "made"
    made.mkdir()
    (made / "tokenizer.json").write_text(json.dumps(spec))
    (made / "tokenizer_config.json").write_text(json.dumps(config))
    ours, theirs = Codec(made), Codec(folder)
    assert config["bos_token"] == "<s>"
    for line in TEXT.split("\n"):
        assert ours.encode(line) == theirs.encode(line)
        assert ours.decode(ours.encode(line)) == line


def test_a_header_is_read_by_hand(tmp_path: Path) -> None:
    def string(text: str) -> bytes:
        return struct.pack("<Q", len(text.encode())) + text.encode()

    pairs = string("a") + struct.pack("<IIQ3h", 9, 3, 3, 1, -2, 3) + string("b") + struct.pack("<I?", 7, True)
    pairs += string("c") + struct.pack("<IIQ", 9, 8, 2) + string("é") + string("")
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 3) + pairs
    head += string("t") + struct.pack("<IQQIQ", 2, 4, 2, 0, 0)
    path = tmp_path / "a.gguf"
    path.write_bytes(head + b"\0" * (-len(head) % 32) + b"\0" * 32)
    header = read_header(path)
    assert header.values == {"a": [1, -2, 3], "b": True, "c": ["é", ""]}
    assert header.tensors["t"].size == (2, 4) and header.tensors["t"].offset % 32 == 0
