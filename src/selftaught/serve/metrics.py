"""Counts for Prometheus. Labels are bounded: route templates, statuses, names of our list, never anything a client wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from selftaught.serve.parts import Ended

if TYPE_CHECKING:
    from selftaught.serve.admission import Admission

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class Metrics:
    """A registry of its own, so that several servers in one process do not mix."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self.registry = registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, namespace="start", registry=registry)

        def histogram(name: str, text: str, *labels: str) -> Histogram:
            return Histogram(name, text, labels, namespace="start", registry=registry, buckets=_SECONDS)

        self._requests = counter("requests", "HTTP requests by route and status.", "route", "status")
        self._duration = histogram("request_duration_seconds", "From the request to the last byte.", "route")
        self._first = histogram("time_to_first_token_seconds", "From the request to the first text.", "model")
        self._answers = counter("answers", "Finished answers by the reason that they ended.", "model", "stop")
        self._prompt = counter("prompt_tokens", "Tokens read: prompts, hints, outputs.", "model")
        self._completion = counter("completion_tokens", "Tokens sampled.", "model")
        self._hints = counter("hints_inserted", "Hints that were put in.", "model")
        self._calls = counter("tool_calls", "Calls of Python by how they ended.", "tool", "outcome")
        self._tool = histogram("tool_duration_seconds", "Seconds of a call of Python.", "tool")
        self._gone = counter("clients_gone", "Requests whose client hung up.")
        self._running = Gauge("answers_running", "Answers in the making.", namespace="start", registry=registry)
        self._waiting = Gauge("answers_waiting", "Answers that wait.", namespace="start", registry=registry)

    def watch(self, admission: Admission) -> None:
        """Show how many answers are made and wait."""
        self._running.set_function(lambda: admission.num_running)
        self._waiting.set_function(lambda: admission.num_waiting)

    def ended(self, model: str, ended: Ended) -> None:
        """Count one finished answer."""
        usage, trajectory = ended.usage, ended.trajectory
        self._answers.labels(model, ended.stop.value).inc()
        self._prompt.labels(model).inc(usage.input_tokens)
        self._completion.labels(model).inc(usage.output_tokens)
        self._hints.labels(model).inc(len(trajectory.hints()))
        for call in trajectory.tool_calls():
            self._calls.labels("python", call.status.value).inc()
            self._tool.labels("python").observe(call.wall_s)

    def first_token(self, model: str, seconds: float) -> None:
        """Note when an answer's first text came."""
        self._first.labels(model).observe(seconds)

    def gone(self) -> None:
        """Count a client that hung up."""
        self._gone.inc()

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count one HTTP request."""
        self._requests.labels(route, str(status)).inc()
        self._duration.labels(route).observe(seconds)

    def page(self) -> bytes:
        """The text that Prometheus reads."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry)
