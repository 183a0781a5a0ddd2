"""Traces for OpenTelemetry: one span an answer, one inside it for each call of Python.

They are made when the standard variable ``OTEL_EXPORTER_OTLP_ENDPOINT`` is set, and then need the packages of the SDK;
without it nothing is imported. The names are those of the ``gen_ai`` conventions, which are not final. No text of a prompt
or an answer stands in a span.
"""

from __future__ import annotations

import os
import time
from typing import Any

from selftaught.errors import MissingPartError
from selftaught.serve.parts import Ended

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_PER_S = 1_000_000_000


class Tracer:
    """Sends spans, or does nothing."""

    def __init__(self, provider: Any = None) -> None:
        self._provider = provider

    @classmethod
    def from_environment(cls) -> Tracer:
        """As the variable says. MissingPartError when it is set and the packages are not there."""
        if not os.environ.get(ENDPOINT):
            return cls()
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError as error:
            raise MissingPartError(
                f"{ENDPOINT} is set, but {error.name} is missing; "
                "pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http, or unset it."
            ) from None
        provider = TracerProvider(resource=Resource.create({"service.name": "selftaught"}))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        return cls(provider)

    def answer(self, model: str, ended: Ended, request_id: str = "") -> None:
        """One finished answer, with its calls."""
        if self._provider is None:
            return
        from opentelemetry.trace import set_span_in_context

        tracer = self._provider.get_tracer("selftaught")
        end = time.time_ns()
        begin = end - round(ended.trajectory.wall_s * _PER_S)
        usage = ended.usage
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": model,
            "gen_ai.usage.input_tokens": usage.input_tokens,
            "gen_ai.usage.output_tokens": usage.output_tokens,
            "gen_ai.response.finish_reasons": [ended.stop.value],
            "start.hint_tokens": usage.hint_tokens,
            "start.request_id": request_id,
        }
        span = tracer.start_span(f"chat {model}", start_time=begin, attributes=attributes)
        inside = set_span_in_context(span)
        for number, call in enumerate(ended.trajectory.tool_calls(), start=1):
            # When in the answer a call ran is not recorded: the spans stand at its beginning, with their true length.
            tool = tracer.start_span(
                "execute_tool python",
                context=inside,
                start_time=begin,
                attributes={
                    "gen_ai.operation.name": "execute_tool",
                    "gen_ai.tool.name": "python",
                    "gen_ai.tool.call.id": str(number),
                    "start.tool.outcome": call.status.value,
                },
            )
            tool.end(begin + round(call.wall_s * _PER_S))
        span.end(end)

    def close(self) -> None:
        """Send what is left."""
        if self._provider is not None:
            self._provider.shutdown()
