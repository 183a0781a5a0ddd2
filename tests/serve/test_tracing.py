"""Spans of an answer and its calls, without a word of the prompt."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from selftaught.serve.backend import Backend
from selftaught.serve.tracing import ENDPOINT, Tracer

from .living import QUESTION, living


def test_an_answer_is_a_trace(backend: Backend) -> None:
    trace = pytest.importorskip("opentelemetry.sdk.trace")
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    kept = InMemorySpanExporter()
    provider = trace.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    with living(backend) as server:
        server.server.tracer = Tracer(provider)
        body = {"model": "toy:hint", "messages": [{"role": "user", "content": QUESTION}]}
        headers = {"X-Request-Id": "mine"}
        usage = httpx2.post(f"{server.url}/chat/completions", json=body, headers=headers, timeout=60).json()["usage"]
    spans: dict[str, Any] = {span.name: span for span in kept.get_finished_spans()}
    assert set(spans) == {"chat toy:hint", "execute_tool python"}
    chat, tool = spans["chat toy:hint"], spans["execute_tool python"]
    assert tool.parent.span_id == chat.context.span_id
    assert chat.attributes["gen_ai.usage.output_tokens"] == usage["completion_tokens"]
    assert chat.attributes["start.request_id"] == "mine" and chat.end_time > chat.start_time
    assert not any(QUESTION in str(value) for span in spans.values() for value in span.attributes.values())


def test_without_the_variable_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENDPOINT, raising=False)
    tracer = Tracer.from_environment()
    assert tracer._provider is None
    tracer.close()
