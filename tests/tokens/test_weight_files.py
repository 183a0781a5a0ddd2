"""Which files hold a model's weights: one set or a clear refusal; what is no weights does not count."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selftaught.errors import EngineError
from selftaught.tokens.weight_files import find_weight_files, weight_files


def write(path: Path, **tensors: bytes) -> Path:
    """A safetensors file of bytes, made by hand."""
    header, at = {}, 0
    for name, data in tensors.items():
        header[name] = {"dtype": "U8", "shape": [len(data)], "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(tensors.values()))
    return path


def write_sharded(folder: Path) -> list[Path]:
    shards = [
        write(folder / "model-00001-of-00002.safetensors", a=b"11"),
        write(folder / "model-00002-of-00002.safetensors", b=b"222"),
    ]
    weight_map = {"a": shards[0].name, "b": shards[1].name}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return shards


def test_one_file_or_one_sharded_set(tmp_path: Path) -> None:
    single = write(tmp_path / "model.safetensors", a=b"1")
    assert weight_files(tmp_path) == [single]
    single.unlink()
    shards = write_sharded(tmp_path)
    assert weight_files(tmp_path) == shards
    (tmp_path / "model.safetensors.index.json").unlink()
    assert weight_files(tmp_path) == shards


def test_what_is_no_weights_is_ignored(tmp_path: Path) -> None:
    shards = write_sharded(tmp_path)
    write(tmp_path / "adapter_model.safetensors", lora=b"1")
    write(tmp_path / "optimizer.safetensors", m=b"1")
    write(tmp_path / "consolidated.safetensors", other=b"1")
    (tmp_path / "notes.safetensors").write_text("not even of the format")
    assert weight_files(tmp_path) == shards
    for path in [*shards, tmp_path / "model.safetensors.index.json"]:
        path.unlink()
    single = write(tmp_path / "model.safetensors", a=b"1")
    assert weight_files(tmp_path) == [single]


def test_two_sets_that_disagree_are_refused_with_both_names(tmp_path: Path) -> None:
    shards = write_sharded(tmp_path)
    write(tmp_path / "model.safetensors", a=b"11", b=b"222")
    assert weight_files(tmp_path) == shards  # the same bytes: one set
    for other in (
        {"a": b"11", "b": b"223"},
        {"a": b"11"},
        {"a": b"11", "b": b"22"},
        {"a": b"11", "b": b"222", "c": b""},
    ):
        write(tmp_path / "model.safetensors", **other)
        with pytest.raises(
            EngineError, match=r"index\.json with its 2 shards and model\.safetensors \([abc] differs\)"
        ):
            weight_files(tmp_path)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("missing shard", r"names model-00002-of-00002\.safetensors, which is not there"),
        ("missing tensor", "says that model-00002-of-00002.safetensors holds b; it does not"),
        ("cut", "no whole safetensors file"),
        ("empty map", "has no 'weight_map'"),
        ("no index, one gone", r"no model\.safetensors\.index\.json; expected one whole set"),
    ],
)
def test_an_incomplete_set_is_refused(tmp_path: Path, broken: str, message: str) -> None:
    shards = write_sharded(tmp_path)
    index = tmp_path / "model.safetensors.index.json"
    if broken == "missing shard":
        shards[1].unlink()
    elif broken == "missing tensor":
        write(shards[1], c=b"222")
    elif broken == "cut":
        shards[1].write_bytes(shards[1].read_bytes()[:-1])
    elif broken == "empty map":
        index.write_text("{}")
    else:
        index.unlink()
        shards[0].unlink()
    with pytest.raises(EngineError, match=message):
        weight_files(tmp_path)


def test_nothing_and_too_much(tmp_path: Path) -> None:
    assert find_weight_files(tmp_path) == []
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(EngineError, match=r"pytorch_model\.bin is in a format that is not read here"):
        weight_files(tmp_path)
    one = write(tmp_path / "one.safetensors", a=b"1")
    assert weight_files(tmp_path) == [one]
    write(tmp_path / "two.safetensors", a=b"1")
    with pytest.raises(EngineError, match=r"one\.safetensors, two\.safetensors; expected model\.safetensors"):
        weight_files(tmp_path)
