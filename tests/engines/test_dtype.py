"""What ``auto`` means: as stored, and bfloat16 only where it is fast. The embedded reasoner stays in float32 everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from selftaught.engines import dtype as number_types
from selftaught.engines import load_engine
from selftaught.engines.dtype import resolve_dtype, stored_dtype
from selftaught.engines.local import LocalEngine
from selftaught.engines.tiny import make_tiny_model
from selftaught.errors import ConfigError
from selftaught.toy import WEIGHTS_DIR

torch = pytest.importorskip("torch")


@pytest.fixture
def stored(tmp_path: Path) -> dict[str, Path]:
    """One model in each number type."""
    folders = {}
    for name in ("float32", "bfloat16", "float16"):
        folder = make_tiny_model(tmp_path / name)
        tensors = {
            key: value.to(getattr(torch, name)) for key, value in load_file(folder / "model.safetensors").items()
        }
        save_file(tensors, folder / "model.safetensors")
        folders[name] = folder
    return folders


@pytest.mark.parametrize("fast", [True, False])
def test_auto_on_a_cpu(stored: dict[str, Path], fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(number_types, "is_bfloat16_fast", lambda: fast)
    assert {name: stored_dtype(folder) for name, folder in stored.items()} == {name: name for name in stored}
    assert resolve_dtype("auto", stored["float32"], "cpu") == "float32"
    assert resolve_dtype("auto", stored["bfloat16"], "cpu") == ("bfloat16" if fast else "float32")
    assert resolve_dtype("auto", stored["float16"], "cpu") == "float32"
    assert resolve_dtype("auto", WEIGHTS_DIR, "cpu") == "float32"
    assert resolve_dtype("bfloat16", stored["float32"], "cpu") == "bfloat16"
    with pytest.raises(ConfigError, match="dtype is 'fp99'; expected auto, float32"):
        resolve_dtype("fp99", stored["float32"])


def test_an_engine_says_what_it_runs_in(stored: dict[str, Path]) -> None:
    engine = load_engine(str(stored["bfloat16"]), dtype="bfloat16")
    assert isinstance(engine, LocalEngine) and engine.dtype == "bfloat16"
    assert engine.model.weights.norm_C.dtype is torch.bfloat16
    exact = load_engine(str(stored["bfloat16"]), dtype="float32")
    assert isinstance(exact, LocalEngine)
    assert torch.equal(exact.model.weights.norm_C, engine.model.weights.norm_C.float())
