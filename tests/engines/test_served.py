"""The HTTP engine against a real vLLM, SGLang or llama.cpp server, when one is given; ``benchmarks/served.py`` says how to start it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from selftaught.engines import SampleEnd, SampleRequest, SamplingParams, Score, Scoring, SequenceKey
from selftaught.engines.http import HttpEngine
from selftaught.engines.local import LocalEngine
from selftaught.problems import render_question
from selftaught.tokens import Codec
from selftaught.tokens.folder import embedded_folder
from selftaught.toy.problems import generate

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "served.py"


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["SELFTAUGHT_VLLM_URL", "SELFTAUGHT_SGLANG_URL", "SELFTAUGHT_LLAMACPP_URL"])
def test_served_trajectories_are_the_local_ones(variable: str) -> None:
    if variable not in os.environ:
        pytest.skip(f"{variable} names no server, e.g. http://127.0.0.1:8000/v1")
    command = [
        sys.executable,
        SCRIPT,
        "--base-url",
        os.environ[variable],
        "--model",
        os.environ.get("SELFTAUGHT_SERVED_MODEL", "toy"),
        "--only",
        "parity",
        "--count",
        "50",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)["measures"]["parity"]
    assert found["trajectories"] == 50 and found["tool_calls"] > 0 and found["hints"] > 0
    assert max(found["echoed"], found["lengths_told"]) == found["streams"] > 0
    assert found["share"] >= 0.98
    assert found["different_not_at_a_sampled_token"] == []
    assert all(gap < 1e-4 for gap in found["logit_gaps_where_different"])
    assert found["ledger_holds"]


@pytest.fixture
def llamacpp() -> str:
    """A real llama.cpp server of the embedded reasoner in float32; ``benchmarks/served.py`` says how to start it."""
    url = os.environ.get("SELFTAUGHT_LLAMACPP_URL")
    if url is None:
        pytest.skip("SELFTAUGHT_LLAMACPP_URL names no server, e.g. http://127.0.0.1:8080/v1")
    return url


def asked(codec: Codec) -> list[int]:
    """A question of the embedded reasoner's kind."""
    return codec.encode_chat(render_question(generate("dev", 3)[2]))


@pytest.mark.slow
async def test_a_real_llamacpp_server_stops_bans_ends_and_fills_as_the_local_engine(llamacpp: str) -> None:
    engine, local = HttpEngine([llamacpp], tokenizer="toy", max_rows=64), LocalEngine(embedded_folder(), max_rows=1)
    codec = engine.codec
    none, ends = codec.token_set("none", lambda: ()), codec.token_set("all-ends", lambda: codec.end_ids)
    banned = codec.token_set("some", lambda: range(40, codec.vocab_size, 3))
    close = codec.added["</think>"]
    thinks = codec.token_set("close", lambda: [close])
    assert engine.dialect.kind == "llamacpp" and engine.max_rows < 64 and engine.max_context < 1 << 20

    async def play(one: HttpEngine | LocalEngine) -> list[list[int]]:
        found = []
        for request in (
            SampleRequest(400, thinks, halts=thinks),
            SampleRequest(600, ends),
            SampleRequest(30, none, banned),
        ):
            row = one.open(SequenceKey(), SamplingParams())
            row.extend(asked(codec))
            ids: list[int] = []
            sampled = await row.sample(request)
            ids += sampled.token_ids
            row.extend([codec.added["<think>"], 50, 60])
            ids += (await row.sample(SampleRequest(5, none))).token_ids
            row.close()
            found.append(ids)
        return found

    theirs, ours = await play(engine), await play(local)
    assert theirs == ours
    assert close in theirs[0] and codec.end_ids & set(theirs[1]) and not banned.ids & set(theirs[2][:30])
    row = engine.open(SequenceKey(), SamplingParams())
    row.extend([60] * (engine.max_context - 7))
    sampled = await row.sample(SampleRequest(50, none))
    assert (len(sampled.token_ids), sampled.end) == (7, SampleEnd.CONTEXT)
    row.close()
    await engine.aclose()
    assert engine.stats.num_retries == 0


@pytest.mark.slow
async def test_a_real_llamacpp_server_draws_from_the_local_distribution(llamacpp: str) -> None:
    """At a temperature and a top-p: nothing that is cut off comes, and what comes has its share."""
    import torch

    from selftaught.engines.model import Prefill, SlotModel

    engine, model = HttpEngine([llamacpp], tokenizer="toy", max_rows=64), SlotModel(embedded_folder(), 1)
    prompt = [*asked(engine.codec), *engine.codec.encode("First ")]
    temperature, top_p, num_draws = 1.3, 0.8, 600
    model.reserve(len(prompt) + 1)
    chances, order = torch.softmax(model.prefill([Prefill(0, 0, prompt)])[-1] / temperature, -1).sort(descending=True)
    kept = int((chances.cumsum(0) - chances < top_p).sum())
    expected = {int(i): float(p) for i, p in zip(order[:kept], chances[:kept] / chances[:kept].sum(), strict=True)}
    none = engine.codec.token_set("none", lambda: ())

    async def draw(number: int) -> int:
        row = engine.open(SequenceKey(0, "draws", number), SamplingParams(temperature, top_p))
        row.extend(prompt)
        (token_id,) = (await row.sample(SampleRequest(1, none))).token_ids
        row.close()
        return token_id

    drawn = Counter(await asyncio.gather(*(draw(number) for number in range(num_draws))))
    await engine.aclose()
    assert kept > 2 and drawn.keys() <= expected.keys()
    for token_id, chance in expected.items():
        assert abs(drawn[token_id] / num_draws - chance) < 4.5 * (chance * (1 - chance) / num_draws) ** 0.5 + 1e-3


@pytest.mark.slow
async def test_a_real_llamacpp_server_scores_as_the_local_engine(llamacpp: str) -> None:
    engine, local = HttpEngine([llamacpp], tokenizer="toy", max_rows=64), LocalEngine(embedded_folder(), max_rows=1)
    request = SampleRequest(60, engine.codec.token_set("none", lambda: ()), scoring=Scoring.ALL, stop_texts=("e",))

    async def scores(one: HttpEngine | LocalEngine) -> list[Score]:
        row = one.open(SequenceKey(), SamplingParams())
        row.extend(asked(engine.codec))
        sampled = await row.sample(request)
        row.close()
        assert len(sampled.token_ids) == 60 and sampled.scores is not None
        return sampled.scores

    theirs, ours = await scores(engine), await scores(local)
    await engine.aclose()
    assert len(theirs) == 60
    for their, our in zip(theirs, ours, strict=True):
        assert their.logprob == pytest.approx(our.logprob, abs=1e-3)
        assert their.margin == pytest.approx(our.margin, abs=1e-3)
        assert their.entropy <= our.entropy + 1e-3
