"""The HTTP engine against a real server on loopback whose model is the local engine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from selftaught.engines import SampleEnd, SampleRequest, SamplingParams, SequenceKey, load_engine
from selftaught.engines.http import HttpEngine
from selftaught.engines.local import LocalEngine
from selftaught.errors import EngineError

from .loopback import Thread
from .small_server import SmallServer


def local(folder: Path, rows: int = 32) -> LocalEngine:
    engine = load_engine(str(folder), max_rows=rows)
    assert isinstance(engine, LocalEngine)
    return engine


@pytest.fixture(params=["vllm", "sglang", "sglang-generate", "sglang-generate-incremental"])
def served(request: pytest.FixtureRequest, model_folder: Path) -> Iterator[Thread]:
    thread = Thread(SmallServer(local(model_folder), str(model_folder), kind=request.param))
    yield thread
    thread.stop()


async def script(engine: LocalEngine | HttpEngine, index: int) -> list[int]:
    """Sample, look at watched tokens, insert, discard, ban: as a rollout does."""
    codec = engine.codec
    none = codec.token_set("none", lambda: ())
    some = codec.token_set("some", lambda: range(0, codec.vocab_size, 5))
    banned = codec.token_set("ban", lambda: range(1, codec.vocab_size, 7))
    row = engine.open(SequenceKey(0, str(index)), SamplingParams())
    row.extend([index + 1, 2, 3])
    ids: list[int] = []
    for _ in range(4):
        ids += (await row.sample(SampleRequest(9, some))).token_ids
    row.discard(1)
    row.extend([40, 41])
    ids += (await row.sample(SampleRequest(8, none))).token_ids
    ids += (await row.sample(SampleRequest(8, none, banned))).token_ids
    twin = row.fork()
    twin.extend([9])
    ids += (await twin.sample(SampleRequest(5, none))).token_ids
    row.close()
    twin.close()
    return ids


def play(
    engine: LocalEngine | HttpEngine, part: Callable[[LocalEngine | HttpEngine, int], Awaitable[list[int]]]
) -> list[list[int]]:
    """What twelve sequences say that all play ``part``; the engine is closed."""

    async def run() -> list[list[int]]:
        found = await asyncio.gather(*(part(engine, index) for index in range(12)))
        await engine.aclose()
        return found

    return asyncio.run(run())


def test_served_tokens_are_the_local_ones(served: Thread, model_folder: Path) -> None:
    engine = load_engine(served.server.url)
    assert (
        isinstance(engine, HttpEngine)
        and engine.dialect.kind == served.server.kind.removesuffix("-incremental")
        and engine.name == "tiny"
    )
    assert play(engine, script) == play(local(model_folder), script)
    # Four looks at watched tokens share one stream: a new one only where something was inserted or banned.
    assert served.server.num_requests == 12 * 4


async def halting(engine: LocalEngine | HttpEngine, index: int) -> list[int]:
    """Sample up to a halt and insert there, time and again."""
    codec = engine.codec
    halts = codec.token_set("halts", lambda: range(0, codec.vocab_size, 5))
    row = engine.open(SequenceKey(0, str(index)), SamplingParams())
    row.extend([index + 1, 2, 3])
    ids: list[int] = []
    for _ in range(5):
        sampled = await row.sample(SampleRequest(200, halts, halts=halts))
        assert sampled.end is SampleEnd.WATCH
        ids += sampled.token_ids
        row.extend([40, 41])
    row.close()
    return ids


def test_a_server_stops_by_itself_where_something_will_be_put_in(served: Thread, model_folder: Path) -> None:
    engine = load_engine(served.server.url, max_rows=3)
    asked_before = served.server.num_connections
    assert isinstance(engine, HttpEngine)
    found = play(engine, halting)
    assert found == play(local(model_folder), halting)
    server = served.server
    assert server.num_said == sum(map(len, found))  # nothing was thrown away
    assert server.num_requests == 12 * 5
    assert server.num_connections - asked_before <= 3 < server.num_requests  # streams that end leave theirs usable
    assert server.most_streams == 3  # twelve sequences took turns


def test_busy_servers_and_cut_streams_are_retried(model_folder: Path) -> None:
    thread = Thread(SmallServer(local(model_folder), str(model_folder)))
    engine = load_engine(thread.server.url)
    assert isinstance(engine, HttpEngine)
    thread.server.refuse = 3

    async def run() -> list[list[int]]:
        async def restart() -> None:
            await asyncio.sleep(0.1)
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(thread.server.stop(), thread.loop))
            await asyncio.sleep(0.3)
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(thread.server.start(), thread.loop))

        restarting = asyncio.create_task(restart())
        found = await asyncio.gather(*(script(engine, index) for index in range(30)))
        await restarting
        await engine.aclose()
        return found

    async def alone() -> list[list[int]]:
        return await asyncio.gather(*(script(local_engine, index) for index in range(30)))

    local_engine = local(model_folder)
    assert asyncio.run(run()) == asyncio.run(alone())
    assert engine.stats.num_retries >= 3


def test_replicas_keep_their_trajectories(model_folder: Path) -> None:
    threads = [Thread(SmallServer(local(model_folder), str(model_folder))) for _ in range(2)]
    engine = load_engine(",".join(thread.server.url for thread in threads))
    assert isinstance(engine, HttpEngine)

    play(engine, script)
    first, second = ({tuple(prompt[:3]) for prompt in thread.server.prompts} for thread in threads)
    assert first and second and not first & second


def test_what_is_wrong_is_said(model_folder: Path) -> None:
    with pytest.raises(EngineError, match=r"no model server answers at http://127\.0\.0\.1:9/v1/models"):
        load_engine("http://127.0.0.1:9/v1")
    thread = Thread(SmallServer(local(model_folder), str(model_folder)))
    with pytest.raises(EngineError, match="serves tiny; expected 'other'"):
        load_engine(thread.server.url, model_name="other")
    engine = load_engine(thread.server.url)
    assert isinstance(engine, HttpEngine)
    engine.patience_s = 0.2
    thread.call(thread.server.stop())

    async def run() -> None:
        row = engine.open(SequenceKey(), SamplingParams())
        row.extend([1, 2])
        with pytest.raises(EngineError, match=r"gave up after 0\.2 s"):
            await row.sample(SampleRequest(3, engine.codec.token_set("none", lambda: ())))
        await engine.aclose()

    asyncio.run(run())


def test_text_alone_is_taken_only_when_allowed(model_folder: Path) -> None:
    thread = Thread(SmallServer(local(model_folder), str(model_folder), kind="openai"))
    codec = local(model_folder).codec
    none = codec.token_set("none", lambda: ())
    prompt = codec.encode_control("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n")

    async def run(engine: HttpEngine) -> list[int]:
        row = engine.open(SequenceKey(), SamplingParams())
        row.extend(prompt)
        ids = (await row.sample(SampleRequest(12, none))).token_ids
        row.close()
        await engine.aclose()
        return ids

    strict = load_engine(thread.server.url)
    assert isinstance(strict, HttpEngine) and not strict.text_only
    allowed = load_engine(thread.server.url, allow_text=True)
    assert isinstance(allowed, HttpEngine) and allowed.dialect.kind == "text" and allowed.text_only
    assert len(asyncio.run(run(allowed))) == 12
    assert thread.server.prompts[-1] == prompt


@pytest.mark.parametrize("kind", ["sglang", "sglang-generate"])
@pytest.mark.parametrize("told", [True, False])
def test_sglang_fills_its_context_and_is_asked_for_no_more(model_folder: Path, told: bool, kind: str) -> None:
    model = local(model_folder)
    server = SmallServer(model, str(model_folder), kind=kind)
    limit = model.max_context - server.RESERVE
    server.info = {"max_req_input_len": limit} if told else None
    engine = load_engine(Thread(server).server.url)
    assert isinstance(engine, HttpEngine) and engine.max_context == limit
    engine.patience_s = 0.5
    none = engine.codec.token_set("none", lambda: ())

    async def run() -> None:
        row = engine.open(SequenceKey(), SamplingParams())
        row.extend([7] * (limit - 12))
        sampled = await row.sample(SampleRequest(50, none))
        assert (len(sampled.token_ids), sampled.end) == (12, SampleEnd.CONTEXT)
        assert (await row.sample(SampleRequest(50, none))).end == SampleEnd.CONTEXT
        row.close()
        await engine.aclose()

    asyncio.run(run())
    assert engine.stats.num_retries == 0


@pytest.mark.parametrize("kind", ["sglang", "sglang-generate"])
@pytest.mark.parametrize("num_more", [0, 6])
def test_what_sglang_refuses_for_good_is_not_tried_again(model_folder: Path, num_more: int, kind: str) -> None:
    model = local(model_folder)
    engine = load_engine(Thread(SmallServer(model, str(model_folder), kind=kind)).server.url)
    assert isinstance(engine, HttpEngine)
    engine.max_context = 2 * model.max_context

    async def run() -> None:
        row = engine.open(SequenceKey(), SamplingParams())
        row.extend([7] * (model.max_context - 6 + num_more))
        with pytest.raises(EngineError, match=r"maximum (context|allowed) length"):
            await row.sample(SampleRequest(3, engine.codec.token_set("none", lambda: ())))
        await engine.aclose()

    asyncio.run(run())
    assert engine.stats.num_retries == 0


def test_sglang_stops_at_end_tokens_and_gives_them(model_folder: Path) -> None:
    model = local(model_folder)
    server = SmallServer(model, str(model_folder), chunk=500, kind="sglang")
    engine = load_engine(Thread(server).server.url)
    assert isinstance(engine, HttpEngine)
    none = engine.codec.token_set("none", lambda: ())

    async def run(one: LocalEngine | HttpEngine, count: int) -> list[int]:
        row = one.open(SequenceKey(), SamplingParams())
        row.extend([1, 2, 3])
        ids = (await row.sample(SampleRequest(count, none))).token_ids
        row.close()
        await one.aclose()
        return ids

    expected = asyncio.run(run(model, 40))
    engine.codec.end_ids = frozenset(expected[20:21])  # whatever the model says there ends it
    first = expected.index(expected[20])
    assert asyncio.run(run(engine, 40)) == expected
    assert server.prompts[1] == [1, 2, 3, *expected[: first + 1]]  # it stopped there, and the id came


def test_a_served_name_of_sglang_leads_to_its_folder(model_folder: Path) -> None:
    server = SmallServer(local(model_folder), "tiny", kind="sglang")
    server.info = {"tokenizer_path": str(model_folder), "model_path": "elsewhere"}
    engine = load_engine(Thread(server).server.url)
    assert isinstance(engine, HttpEngine) and engine.name == "tiny"
    assert engine.codec.decode(local(model_folder).codec.encode("so")) == "so"
