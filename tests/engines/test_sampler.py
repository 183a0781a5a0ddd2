from __future__ import annotations

import torch

from selftaught.engines import SequenceKey
from selftaught.engines.sampler import UniformStream, draw, greedy, likeliest


def reference(logits: torch.Tensor, temperature: float, top_p: float, uniform: float) -> int:
    """The plain way: sort everything, cut, renormalise, invert."""
    probs, ids = torch.softmax(logits / temperature, -1).sort(descending=True)
    kept = probs.cumsum(0) - probs < top_p
    probs = torch.where(kept, probs, 0.0)
    cumulative = probs.cumsum(0)
    return int(ids[min(int((cumulative <= uniform * cumulative[-1]).sum()), int(kept.sum()) - 1)])


def test_draws_are_those_of_the_plain_way() -> None:
    torch.manual_seed(0)
    for spread in (0.1, 1.0, 4.0):
        logits = torch.randn(40, 700) * spread
        temperature = torch.rand(40) + 0.3
        top_p = torch.rand(40) * 0.9 + 0.1
        top_p[:5] = 1.0
        uniform = torch.rand(40)
        got = draw(logits, temperature, top_p, uniform).tolist()
        want = [
            reference(*row) for row in zip(logits, temperature.tolist(), top_p.tolist(), uniform.tolist(), strict=True)
        ]
        assert sum(a != b for a, b in zip(got, want, strict=True)) <= 1  # rounding at the edge of an interval


def test_frequencies_follow_the_distribution() -> None:
    logits = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05])).repeat(20_000, 1)
    stream = UniformStream(SequenceKey(1, "p", 0))
    uniform = torch.tensor([stream[index] for index in range(20_000)])
    assert uniform.unique().numel() > 19_900, "blocks of the stream overlap"
    ones = torch.ones(20_000)
    ids = draw(logits, ones, ones * 0.9, uniform)
    share = torch.bincount(ids, minlength=4) / 20_000
    assert torch.allclose(share, torch.tensor([0.5, 0.3, 0.15, 0.0]) / 0.95, atol=0.015)


def test_a_banned_token_is_never_drawn() -> None:
    logits = torch.zeros(64, 8)
    logits[:, 3] = float("-inf")
    ids = draw(logits, torch.ones(64), torch.ones(64), torch.linspace(0, 0.9999999, 64))
    assert 3 not in ids.tolist()


def test_uniforms_depend_on_the_key_and_the_position_alone() -> None:
    one, two = UniformStream(SequenceKey(0, "a", 1)), UniformStream(SequenceKey(0, "a", 1))
    two[900]
    assert [one[position] for position in (0, 255, 256, 900)] == [two[position] for position in (0, 255, 256, 900)]
    others = [SequenceKey(1, "a", 1), SequenceKey(0, "b", 1), SequenceKey(0, "a", 2)]
    assert len({one[0], *(UniformStream(key)[0] for key in others)}) == 4


def test_the_likeliest_of_a_large_vocabulary_are_those_of_the_plain_way() -> None:
    torch.manual_seed(1)
    for rows, vocabulary, num in ((5, 151_936, 16), (2, 151_936, 192), (3, 70_001, 16), (4, 700, 16)):
        logits = torch.randn(rows, vocabulary)
        logits[0, -3:] = 9.0  # behind the last whole block
        logits[1] = logits[1].bfloat16().float()  # many are alike
        values, ids = likeliest(logits, num)
        assert torch.equal(values, logits.topk(num, dim=-1).values)
        assert torch.equal(logits.gather(1, ids), values)
        assert all(len(set(row)) == num for row in ids.tolist())


def test_greedy_takes_the_first_of_the_likeliest() -> None:
    logits = torch.zeros(3, 5000)
    logits[0, [70, 4000]] = 2.0
    logits[1, 4999] = 1.0
    assert greedy(logits).tolist() == [70, 4999, 0]
