"""The loss in pieces: the same number and the same gradients as all logits at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from selftaught.training.batches import training_order
from selftaught.training.render import IGNORE_INDEX
from selftaught.training.settings import LoraSettings

from .test_sft import SETTINGS, base, losses, make_rows, weights

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from selftaught.training import loss as loss_module  # noqa: E402
from selftaught.training.sft import train_sft  # noqa: E402

__all__ = ["base"]


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("frozen", [False, True])
def test_loss_and_gradients_are_those_of_all_logits(
    autocast: bool, frozen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loss_module, "LOGIT_CHUNK_BYTES", 4 * 50 * 3)  # three tokens at a time
    torch.manual_seed(0)
    targets = torch.randint(0, 50, (2, 11))
    targets[0, 3:7] = IGNORE_INDEX
    found = []
    for pieces in (False, True):
        torch.manual_seed(1)
        layer, hidden = torch.nn.Linear(16, 50, bias=False), torch.randn(2, 11, 16, requires_grad=True)
        layer.weight.requires_grad_(not frozen)
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            if pieces:
                with loss_module.loss_as_logits(layer, targets, IGNORE_INDEX):
                    loss = layer(hidden)
            else:
                loss = torch.nn.functional.cross_entropy(
                    layer(hidden).float().flatten(0, 1), targets.flatten(), ignore_index=IGNORE_INDEX, reduction="sum"
                )
        (loss / 7).backward()
        found.append((loss.detach(), hidden.grad, layer.weight.grad))
        assert layer(hidden).shape == (2, 11, 50)  # the layer is itself again
    tolerance = {"rtol": 3e-2, "atol": 3e-3} if autocast else {"rtol": 1e-5, "atol": 1e-6}
    for one, other in zip(*found, strict=True):
        assert (one is None) == (other is None)
        assert one is None or (one.dtype is other.dtype and torch.allclose(one, other, **tolerance))


@pytest.mark.parametrize("lora", [False, True])
def test_training_in_pieces_learns_the_same(
    lora: bool, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if lora:
        pytest.importorskip("peft")
    settings = SETTINGS.model_copy(update={"lora": LoraSettings(rank=4, alpha=8) if lora else None, "epochs": 1.0})
    calls: list[int] = []
    inner = loss_module.chunked_loss
    monkeypatch.setattr(loss_module, "chunked_loss", lambda *args: calls.append(len(args[0])) or inner(*args))
    train_sft(make_rows(), base, tmp_path / "whole", settings)
    assert not calls
    monkeypatch.setattr(loss_module, "LOGIT_CHUNK_BYTES", 4 * 64 * 5)
    train_sft(make_rows(), base, tmp_path / "pieces", settings)
    order = training_order([len(row.input_ids) for row in make_rows()], 4, 5, settings.seed)
    assert sum(calls) == sum(make_rows()[index].num_loss_tokens for index in order)
    assert losses(tmp_path / "pieces") == pytest.approx(losses(tmp_path / "whole"), rel=1e-5)
    one, two = weights(tmp_path / "whole"), weights(tmp_path / "pieces")
    assert all(torch.allclose(one[name], two[name], atol=1e-5) for name in one)


def test_only_plain_output_layers_of_known_models(base: Path) -> None:
    from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

    model = AutoModelForCausalLM.from_pretrained(base)
    assert loss_module.output_layer(model) is model.lm_head
    tiny = GPT2LMHeadModel(GPT2Config(vocab_size=8, n_positions=8, n_embd=4, n_layer=1, n_head=1))
    assert loss_module.output_layer(tiny) is None
