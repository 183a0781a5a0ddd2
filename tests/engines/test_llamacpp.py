"""llama.cpp's server: what goes wrong with a client that takes it for vLLM, one test each, over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from selftaught.engines import Sampled, SampleEnd, SampleRequest, SamplingParams, Scoring, SequenceKey, load_engine
from selftaught.engines.http import HttpEngine
from selftaught.engines.local import LocalEngine
from selftaught.errors import EngineError

from .loopback import Thread
from .small_llamacpp import SmallLlamaCpp
from .test_http import local, play, script


@pytest.fixture
def served(model_folder: Path) -> Iterator[Thread]:
    thread = Thread(SmallLlamaCpp(local(model_folder), "tiny"))
    yield thread
    thread.stop()


def reach(thread: Thread, folder: Path, **named: object) -> HttpEngine:
    engine = load_engine(thread.server.url, tokenizer=str(folder), **named)  # type: ignore[arg-type]
    assert isinstance(engine, HttpEngine)
    return engine


def sample(engine: HttpEngine, prompt: list[int], count: int, close: bool = True) -> list[int]:
    async def run() -> list[int]:
        row = engine.open(SequenceKey(), SamplingParams())
        row.extend(prompt)
        ids: list[int] = []
        while len(ids) < count:
            sampled = await row.sample(SampleRequest(count - len(ids), engine.codec.token_set("none", lambda: ())))
            ids += sampled.token_ids
            if sampled.end is SampleEnd.CONTEXT:
                break
        row.close()
        await engine.aclose()
        return ids

    return asyncio.run(run())


def test_tokens_are_the_local_ones_whatever_is_inserted_or_banned(served: Thread, model_folder: Path) -> None:
    assert play(reach(served, model_folder), script) == play(local(model_folder), script)


@pytest.mark.parametrize("signed", ["llamacpp", "a-proxy"])
def test_1_it_is_known_by_its_signature_or_its_properties(model_folder: Path, signed: str) -> None:
    thread = Thread(SmallLlamaCpp(local(model_folder), "tiny", signed=signed))
    engine = reach(thread, model_folder)
    assert engine.dialect.kind == "llamacpp" and engine.name == "tiny" and not engine.text_only
    thread.stop()


def test_2_the_model_can_end_by_itself(served: Thread, model_folder: Path) -> None:
    expected = sample_locally(local(model_folder), [1, 2, 3], 60)
    engine = reach(served, model_folder)
    end = expected[20]  # whatever the model says there ends it, on both sides
    engine.codec.end_ids = served.server.engine.codec.end_ids = frozenset([end])
    assert sample(engine, [1, 2, 3], 60) == expected
    first = expected.index(end)
    assert served.server.prompts[1] == [1, 2, 3, *expected[: first + 1]]  # the answer ended there, with its id
    assert all(asked["ignore_eos"] is False for path, asked in served.server.asked if path == "/completion")


def sample_locally(engine: LocalEngine, prompt: list[int], count: int) -> list[int]:
    async def run() -> list[int]:
        row = engine.open(SequenceKey(), SamplingParams())
        row.extend(prompt)
        return (await row.sample(SampleRequest(count, engine.codec.token_set("none", lambda: ())))).token_ids

    return asyncio.run(run())


def test_3_it_stops_where_something_is_put_in(served: Thread, model_folder: Path) -> None:
    engine = reach(served, model_folder)
    codec = engine.codec
    said = sample_locally(local(model_folder), [4, 2, 3], 40)
    plain = [one for one in said[10:] if codec.token_bytes[one].isascii() and one not in said[:10]]
    halts = codec.token_set("halts", lambda: plain[:1])
    at = said.index(plain[0])

    async def run(by_text: bool) -> int:
        row = engine.open(SequenceKey(), SamplingParams())
        row.extend([4, 2, 3])
        texts = (codec.decode(plain[:1]),) if by_text else ()
        sampled = await row.sample(SampleRequest(90, halts, halts=None if by_text else halts, stop_texts=texts))
        assert sampled.token_ids == said[: at + 1] and sampled.end is SampleEnd.WATCH
        row.extend([40, 41])
        row.close()
        return served.server.num_said

    async def both() -> None:
        first = await run(by_text=False)
        second = await run(by_text=True)
        # Not a token after the watched one; a text may be found sooner, inside another token, which costs a request.
        assert first == second - first == at + 1
        await engine.aclose()

    asyncio.run(both())


def test_3_what_it_overshoots_is_cut(served: Thread, model_folder: Path) -> None:
    engine = reach(served, model_folder)
    said = sample_locally(local(model_folder), [1, 2, 3], 30)
    watch = engine.codec.token_set("watched", lambda: [said[12]])

    async def run() -> list[int]:
        row = engine.open(SequenceKey(), SamplingParams())
        row.extend([1, 2, 3])
        sampled = await row.sample(SampleRequest(50, watch))
        row.extend([9])
        row.close()
        await engine.aclose()
        return sampled.token_ids

    assert asyncio.run(run()) == said[: said.index(said[12]) + 1]
    assert served.server.num_said == 50  # what was asked for: nobody said that something would be put in there


def test_3_control_tokens_are_stops_too(served: Thread, model_folder: Path) -> None:
    engine = reach(served, model_folder)
    close = engine.codec.added["</think>"]
    halts = engine.codec.token_set("close", lambda: [close])

    async def run() -> None:
        row = engine.open(SequenceKey(), SamplingParams())
        row.extend([1, 2, 3])
        await row.sample(SampleRequest(2, halts, halts=halts, stop_texts=("so </think>", "Wait")))
        row.close()
        await engine.aclose()

    asyncio.run(run())
    asked = next(asked for path, asked in served.server.asked if path == "/completion")
    assert {"</think>", "Wait", "<|im_end|>"} <= set(asked["stop"]) and "so </think>" not in asked["stop"]
    assert "</think>" in asked["preserved_tokens"] and "Wait" not in asked["preserved_tokens"]


def test_4_its_context_is_filled_and_no_more_is_asked_for(model_folder: Path) -> None:
    thread = Thread(SmallLlamaCpp(local(model_folder), "tiny", context=50))
    engine = reach(thread, model_folder)
    assert engine.max_context == 50
    ids = sample(engine, [7] * 30, 100)
    assert len(ids) == 20 and engine.stats.num_retries == 0
    thread.stop()


def test_5_its_tokenizer_is_read_from_the_file_or_demanded(
    write_gguf: Callable[..., Path], tmp_path: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SELFTAUGHT_CACHE", str(tmp_path / "cache"))
    path = write_gguf(tmp_path / "model.gguf", model_folder)
    thread = Thread(SmallLlamaCpp(local(model_folder), str(path)))
    engine = load_engine(thread.server.url)
    assert isinstance(engine, HttpEngine)
    assert sample(engine, [1, 2, 3], 9) == sample_locally(local(model_folder), [1, 2, 3], 9)
    thread.stop()
    elsewhere = Thread(SmallLlamaCpp(local(model_folder), "/models/elsewhere.gguf"))
    with pytest.raises(
        EngineError, match=r"'/models/elsewhere\.gguf', whose tokenizer is not on this machine.*--tokenizer"
    ):
        load_engine(elsewhere.server.url)
    elsewhere.stop()


def test_6_no_setting_of_its_own_stays_in_force(served: Thread, model_folder: Path) -> None:
    play(reach(served, model_folder), script)
    assert served.server.own_in_force == set()
    assert served.server.bos == 0
    bodies = [asked for path, asked in served.server.asked if path == "/completion"]
    assert all(asked["samplers"] == ["temperature", "top_p"] and asked["stream"] is False for asked in bodies)
    assert any(asked["logit_bias"] and asked["logit_bias"][0][1] is False for asked in bodies)


def test_7_no_more_is_asked_at_once_than_it_has_slots(served: Thread, model_folder: Path) -> None:
    engine = reach(served, model_folder, max_rows=64)
    assert engine.max_rows == 3
    play(engine, script)
    assert served.server.most_streams == served.server.most_asked == 3
    assert reach(served, model_folder, max_rows=2).max_rows == 2


def test_a_trajectory_keeps_its_slot_while_others_wait(
    served: Thread, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a busy machine a row may take longer to come back than a slot is kept for it.
    monkeypatch.setattr("selftaught.engines.http._LINGER_S", 60.0)
    engine = reach(served, model_folder, max_rows=64)

    async def one(index: int) -> int:
        row = engine.open(SequenceKey(0, str(index)), SamplingParams())
        row.extend([index + 1, *range(2, 60)])
        for _ in range(6):
            await row.sample(SampleRequest(64, engine.codec.token_set("none", lambda: ())))
            row.extend([40, 41])
            await asyncio.sleep(0.001 * (index % 3))
        row.close()
        return len(row.ids)

    async def run() -> list[int]:
        lengths = await asyncio.gather(*(one(index) for index in range(9)))
        await engine.aclose()
        return lengths

    lengths = asyncio.run(run())
    # Each prompt is read once, and after each request what was put in and the token before it. A row that begins takes the
    # slot that was used least recently. That may be one whose row is just between two requests: it is read once more.
    server = served.server
    assert server.num_requests >= 9 * 6
    taken_over = (9 - 3) * max(lengths)
    most = 9 * 59 + 3 * (server.num_requests - 9) + taken_over
    assert server.num_evaluated <= most < sum(map(len, server.prompts)) / 2


def test_a_model_that_is_loading_is_waited_for(served: Thread, model_folder: Path) -> None:
    engine = reach(served, model_folder)
    served.server.refuse = 2
    assert sample(engine, [1, 2, 3], 9) == sample_locally(local(model_folder), [1, 2, 3], 9)
    assert engine.stats.num_retries == 2


def test_ids_that_are_not_complete_are_refused(served: Thread, model_folder: Path) -> None:
    engine = reach(served, model_folder)
    served.server.forgets = 1
    with pytest.raises(EngineError, match="sends 8 ids for 9 tokens; expected one each"):
        sample(engine, [1, 2, 3], 9)


def test_rows_draw_by_their_own_seeds(served: Thread, model_folder: Path) -> None:
    engine = reach(served, model_folder)

    async def run() -> None:
        for number in (0, 1):
            row = engine.open(SequenceKey(5, "one", number), SamplingParams(0.7, 0.9))
            row.extend([1, 2])
            await row.sample(SampleRequest(100, engine.codec.token_set("none", lambda: ())))
            row.close()
        await engine.aclose()

    asyncio.run(run())
    bodies = [asked for path, asked in served.server.asked if path == "/completion"]
    assert len({asked["seed"] for asked in bodies}) == len(bodies) == 4
    assert all((asked["temperature"], asked["top_p"]) == (0.7, 0.9) for asked in bodies)


def test_scores_are_the_local_ones_where_the_text_is_whole(served: Thread, model_folder: Path) -> None:
    async def draw(one: HttpEngine | LocalEngine, scoring: Scoring) -> Sampled:
        codec = one.codec
        row = one.open(SequenceKey(), SamplingParams())
        row.extend([1, 2, 3])
        request = SampleRequest(12, codec.token_set("none", lambda: ()), scoring=scoring, stop_texts=("a", "e"))
        found = await row.sample(request)
        row.close()
        return found

    async def both() -> None:
        engine, model = reach(served, model_folder), local(model_folder)
        ours = await draw(model, Scoring.ALL)
        last, plain = await draw(engine, Scoring.LAST), await draw(engine, Scoring.NONE)
        assert ours.scores is not None and last.scores is not None and plain.scores is None
        assert ours.token_ids == last.token_ids == plain.token_ids
        assert last.scores[0].logprob == pytest.approx(ours.scores[-1].logprob, abs=1e-4)
        assert last.scores[0].margin == pytest.approx(ours.scores[-1].margin, abs=1e-4)
        assert 0 < last.scores[0].entropy <= ours.scores[-1].entropy + 1e-4
        await engine.aclose()

    asyncio.run(both())
    asked = [asked for path, asked in served.server.asked if path == "/completion"]
    assert asked[0]["n_probs"] > 0 and asked[0]["stop"] == [] and asked[-1]["n_probs"] == 0 and asked[-1]["stop"]
