"""Ollama and LM Studio are taken as text, with none of their own settings in force, and what is not exact is said."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from selftaught.engines import SampleRequest, SamplingParams, SequenceKey, load_engine
from selftaught.engines.http import HttpEngine
from selftaught.errors import EngineError

from .loopback import Thread
from .small_desktop import SmallDesktop, SmallLmStudio, SmallOllama
from .test_http import local

PROMPT = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n"


def reach(server: SmallDesktop, folder: Path) -> HttpEngine:
    engine = load_engine(server.url, tokenizer=str(folder), allow_text=True)
    assert isinstance(engine, HttpEngine) and engine.text_only
    return engine


def sample(engine: HttpEngine, count: int) -> list[int]:
    async def run() -> list[int]:
        row = engine.open(SequenceKey(), SamplingParams(0.6, 0.95))
        row.extend(engine.codec.encode_control(PROMPT))
        ids = (await row.sample(SampleRequest(count, engine.codec.token_set("none", lambda: ())))).token_ids
        row.close()
        await engine.aclose()
        return ids

    return asyncio.run(run())


def test_ollama_is_told_every_setting(model_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = SmallOllama(local(model_folder))
    thread = Thread(server)
    with pytest.raises(
        EngineError, match=r"Ollama gives text without ids: .*llama-server.*\. --allow-text takes the text"
    ):
        load_engine(server.url, tokenizer=str(model_folder))
    with caplog.at_level(logging.WARNING, "selftaught.engines"):
        engine = reach(server, model_folder)
    assert engine.dialect.kind == "ollama" and engine.max_context == 16_384
    assert [record.message.split(": ", 1)[1].split(":")[0] for record in caplog.records] == [
        "Ollama gives text without ids",
        "a context of 16,384 (asked of Ollama); the model can hold 32,768 (PARAMETER num_ctx; a bigger context takes more memory).",
    ]
    assert len(sample(engine, 12)) == 12
    options = server.options[0]
    assert (options["temperature"], options["top_p"], options["min_p"], options["repeat_penalty"]) == (0.6, 0.95, 0, 1)
    assert options["top_k"] >= engine.codec.vocab_size and options["num_ctx"] == 16_384 and options["stop"] == []
    assert server.prompts[0] == engine.codec.encode_control(PROMPT)
    thread.stop()


@pytest.mark.parametrize(
    ("parameters", "longest", "context"), [('stop "x"\nnum_ctx   8192\n', 32_768, 8_192), ("", 2_048, 2_048)]
)
def test_ollamas_context(model_folder: Path, parameters: str, longest: int, context: int) -> None:
    server = SmallOllama(local(model_folder), parameters, longest)
    thread = Thread(server)
    assert reach(server, model_folder).max_context == context
    thread.stop()


def test_lm_studio_is_told_every_setting(model_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = SmallLmStudio(local(model_folder))
    thread = Thread(server)
    with pytest.raises(EngineError, match=r"LM Studio gives text without ids.* --allow-text"):
        load_engine(server.url, tokenizer=str(model_folder))
    with caplog.at_level(logging.WARNING, "selftaught.engines"):
        engine = reach(server, model_folder)
    assert engine.dialect.kind == "lmstudio" and engine.max_context == 4_096
    assert "loaded with a context of 4,096; the model can hold 32,768" in caplog.records[1].message
    assert len(sample(engine, 12)) == 12
    asked = server.options[0]
    assert (asked["top_k"], asked["min_p"], asked["repeat_penalty"], asked["temperature"]) == (0, 0, 1, 0.6)
    thread.stop()


def test_the_end_that_they_swallow_is_given_back(model_folder: Path) -> None:
    for server in (SmallOllama(local(model_folder)), SmallLmStudio(local(model_folder))):
        thread = Thread(server)
        engine = reach(server, model_folder)
        sample(engine, 20)
        server.engine.codec.end_ids = frozenset(server.said[5:6])  # what the model says there ends it
        ends = [one for one in sample(reach(server, model_folder), 30) if one in engine.codec.end_ids]
        assert ends and set(ends) == {engine.codec.added["<|im_end|>"]}
        thread.stop()
