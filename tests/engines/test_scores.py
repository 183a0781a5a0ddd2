"""Scores of sampled tokens: what engines and servers tell of them, and that asking for them changes no token."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from selftaught.engines.base import SampleRequest, SamplingParams, Scoring, SequenceKey
from selftaught.engines.dialects.base import Question, Setting, score_of
from selftaught.engines.dialects.openai_ids import OpenAiIds
from selftaught.engines.dialects.sglang import Sglang
from selftaught.engines.fallback import TransformersEngine
from selftaught.engines.http import HttpEngine
from selftaught.engines.local import LocalEngine
from selftaught.engines.sampler import scores_of
from selftaught.engines.tiny import make_tiny_model

from .small_server import SmallServer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("scored"))


def test_the_three_numbers() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0], [0.0, 0.0, -math.inf]])
    one, two = scores_of(logits, torch.tensor([1, 0]))
    shares = [math.exp(value) for value in (2, 1, 0)]
    shares = [share / sum(shares) for share in shares]
    assert one.logprob == pytest.approx(math.log(shares[1]), abs=1e-6)
    assert one.entropy == pytest.approx(-sum(share * math.log(share) for share in shares), abs=1e-6)
    assert one.margin == pytest.approx(shares[0] - shares[1], abs=1e-6)
    assert two.entropy == pytest.approx(math.log(2), abs=1e-6) and two.margin == pytest.approx(0.0)


@pytest.mark.parametrize("kind", [LocalEngine, TransformersEngine])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_engines_score_the_plain_distribution(kind: Any, temperature: float, folder: Path) -> None:
    """Against one forward pass of transformers over the whole sequence; bans and temperature count for nothing."""
    from transformers import AutoModelForCausalLM

    engine = kind(folder, dtype="float32")
    nothing = engine.codec.token_set("nothing", list)
    banned = engine.codec.token_set("some", lambda: range(20, 60))
    prompt = [5, 6, 7, 8]

    async def draw(scoring: Scoring) -> Any:
        row = engine.open(SequenceKey(1, "p", 0), SamplingParams(temperature, 0.9))
        row.extend(prompt)
        found = await row.sample(SampleRequest(12, nothing, banned, scoring=scoring))
        row.close()
        return found

    async def all_() -> list[Any]:
        return [await draw(scoring) for scoring in Scoring]

    none, last, every = asyncio.run(all_())
    assert none.token_ids == last.token_ids == every.token_ids and none.scores is None
    assert len(every.scores) == 12 and len(last.scores) == 1
    assert last.scores[0] == pytest.approx(every.scores[-1], abs=1e-5)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ids = torch.tensor([prompt + every.token_ids])
    with torch.inference_mode():
        logits = model(ids).logits[0, len(prompt) - 1 : -1]
    expected = scores_of(logits, torch.tensor(every.token_ids))
    for score, wanted in zip(every.scores, expected, strict=True):
        assert score == pytest.approx(wanted, abs=1e-4)


def test_a_score_from_the_likeliest_tokens() -> None:
    whole = score_of(math.log(0.7), [math.log(0.7), math.log(0.2), math.log(0.1)])
    assert whole.entropy == pytest.approx(-(0.7 * math.log(0.7) + 0.2 * math.log(0.2) + 0.1 * math.log(0.1)))
    assert whole.margin == pytest.approx(0.5)
    few = score_of(math.log(0.2), [math.log(0.5), math.log(0.2)])
    assert few.entropy == pytest.approx(-(0.5 * math.log(0.5) + 0.2 * math.log(0.2) + 0.3 * math.log(0.3)))
    assert score_of(0.0, [0.0]).entropy == 0.0 and score_of(0.0, []).margin == 0.0


def question(**changes: Any) -> Question:
    return Question([1, 2], SamplingParams(), 8, [0], 1, {}, **changes)


def test_vllms_fields(folder: Path) -> None:
    engine = LocalEngine(folder, dtype="float32")
    dialect = OpenAiIds(Setting("m", engine.codec, 4, False))
    _, body = dialect.request(question(top_logprobs=10))
    assert body["logprobs"] == 10 and body["return_tokens_as_token_ids"] is True
    assert "logprobs" not in dialect.request(question())[1]
    reader = dialect.reader(question(top_logprobs=10))
    told = {
        "token_logprobs": [-0.1, -1.2],
        "top_logprobs": [{"token_id:7": -0.1, "token_id:9": -2.4}, {"token_id:3": -0.4}],
    }
    assert reader.feed({"choices": [{"token_ids": [7, 8], "logprobs": told}]}) == ([7, 8], False)
    first, second = reader.take_scores()
    assert first.logprob == -0.1 and first.margin == pytest.approx(math.exp(-0.1) - math.exp(-2.4))
    assert second.logprob == -1.2
    reader.feed({"choices": [{"token_ids": [7, 8], "logprobs": {"token_logprobs": [-0.1]}}]})
    assert reader.take_scores() == []
    reader.feed({"choices": [{"token_ids": [7]}]})
    assert reader.take_scores() == []


@pytest.mark.parametrize("repeats", [True, False])
def test_sglangs_fields(folder: Path, repeats: bool) -> None:
    dialect = Sglang(Setting("m", LocalEngine(folder, dtype="float32").codec, 4, False))
    _, body = dialect.request(question(top_logprobs=10))
    assert (body["return_logprob"], body["top_logprobs_num"]) == (True, 10)
    assert "return_logprob" not in dialect.request(question())[1]
    reader = dialect.reader(question(top_logprobs=10))
    own = [[-0.1, 7, "a"], [-1.2, 8, "b"], [-0.3, 9, "c"]]
    top = [[[-0.1, 7, "a"], [-2.4, 9, "c"]], [[-0.4, 3, "d"]], [[-0.3, 9, "c"]]]
    ids = [7, 8, 9]
    found = []
    for new, end in ((slice(0, 2), 2), (slice(2, 3), 3)):
        shown = slice(0, end) if repeats else new
        meta = {"prompt_tokens": 2, "completion_tokens": end, "output_token_logprobs": own[shown]}
        reader.feed({"output_ids": ids[shown], "meta_info": {**meta, "output_top_logprobs": top[shown]}})
        found += reader.take_scores()
    assert [score.logprob for score in found] == [-0.1, -1.2, -0.3]


def test_scores_over_http(folder: Path) -> None:
    """The server's own numbers arrive with their tokens; one that gives none is no error."""

    async def play() -> None:
        local = LocalEngine(folder, dtype="float32")
        server = SmallServer(local, str(folder))
        await server.start()
        engine = await asyncio.to_thread(HttpEngine, [server.url])
        nothing = engine.codec.token_set("nothing", list)
        found = {}
        for gives in (True, False):
            server.gives_scores = gives
            for scoring in Scoring:
                row = engine.open(SequenceKey(), SamplingParams())
                row.extend([5, 6, 7])
                found[gives, scoring] = await row.sample(SampleRequest(7, nothing, scoring=scoring))
                row.close()
        own = local.open(SequenceKey(), SamplingParams())
        own.extend([5, 6, 7])
        expected = await own.sample(SampleRequest(7, nothing, scoring=Scoring.ALL))
        assert expected.scores is not None
        assert all(one.token_ids == expected.token_ids for one in found.values())
        every, last = found[True, Scoring.ALL].scores, found[True, Scoring.LAST].scores
        assert every is not None and last is not None
        wanted = [score.logprob for score in expected.scores]
        assert [score.logprob for score in every] == pytest.approx(wanted, abs=1e-4)
        assert [score.logprob for score in last] == pytest.approx(wanted[-1:], abs=1e-4)
        assert all(one.scores is None for (gives, _), one in found.items() if not gives)
        assert found[True, Scoring.NONE].scores is None
        await engine.aclose()
        await server.stop()
        await local.aclose()

    asyncio.run(play())
