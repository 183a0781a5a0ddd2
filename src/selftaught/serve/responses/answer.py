"""One Responses request from its body to its events: what is asked, the container, the turn, the store."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from selftaught.rollouts.settings import RolloutSettings
from selftaught.serve.admission import Ticket
from selftaught.serve.containers import ELSEWHERE, Container, Containers, ContainerTools
from selftaught.serve.errors import ApiError, of_failure
from selftaught.serve.parts import Ended
from selftaught.serve.requests import Asked, how_to_ask
from selftaught.serve.responses.events import Event, EventBuilder
from selftaught.serve.responses.inputs import Conversation, conversation_of
from selftaught.serve.responses.items import new_id
from selftaught.serve.responses.request import CODE, Ask, parse, shown_choice
from selftaught.serve.responses.store import Item, ResponseStore, as_items
from selftaught.serve.server import LOG, Server
from selftaught.serve.turns import Running, Turn


@dataclass(slots=True)
class Service:
    """What all Responses requests share."""

    server: Server
    containers: Containers
    store: ResponseStore = field(default_factory=ResponseStore)


class ResponsesCall:
    """One request, checked and with its prompt's tokens. It may be made in a thread; all else happens in the server's loop.

    `events` may be taken once; then ``response`` is the answer.
    """

    def __init__(self, service: Service, body: Mapping[str, Any], owner: str, dialect: str, request_id: str) -> None:
        self._service, self._owner, self._request_id = service, owner, request_id
        self.ask = ask = parse(body, dialect)
        server, request = service.server, ask.request
        asked = how_to_ask(server.catalog, request, request.max_output_tokens)
        if request.max_tool_calls is not None:
            asked = replace(asked, settings=asked.settings.changed(max_tool_calls=request.max_tool_calls))
        self.asked: Asked = asked
        self._before: list[Item] = []
        if request.previous_response_id is not None:
            self._before = service.store.before(owner, request.previous_response_id)
        self._talk = self._conversation()
        try:
            self._turn: Turn = server.turns(self._talk.chat, asked, 1, ask.metadata.get("problem_id") or None)[0]
        except ApiError as error:
            error.param = "input" if error.param == "messages" else error.param
            raise
        self.response: dict[str, Any] = {}
        self._container: Container | None = None
        self._failure: ApiError | None = None
        self._started = time.perf_counter()

    @property
    def streamed(self) -> bool:
        """Whether the client wants a stream."""
        return bool(self.ask.request.stream)

    # ---------------------------------------------------------------------------------------------------- the answer

    def open(self) -> None:
        """In the server's loop, before anything else: find the container. ApiError 404 and 429."""
        self._container = self._find_container()

    async def events(self, ticket: Ticket) -> AsyncGenerator[list[Event], None]:
        """The events as they come, those that belong together in one list; an empty list after a time of silence.

        Leaving early cancels the turn.
        """
        server, containers = self._service.server, self._service.containers
        silence_s = server.options.keep_alive_s
        container = self._container
        box = server.backend.toolbox(self._turn.settings)
        tools = ContainerTools(box, container) if box is not None and container is not None else None
        builder = self._builder(container, tools)
        turn = replace(self._turn, tools=tools, prints=self.ask.request.start.events and self.streamed)
        running: Running | None = None
        if container is not None:
            containers.enter(container)
        try:
            yield builder.begin()
            while not await ticket.turn(silence_s):
                yield []
            running = Running(server.backend, [turn])
            is_first = True
            while (batch := await running.batch(silence_s)) is not None:
                if batch.parts and is_first:
                    is_first = False
                    server.metrics.first_token(self.asked.variant.id, time.perf_counter() - self._started)
                events: list[Event] = []
                for part in batch.parts:
                    events += builder.take(part)
                    if isinstance(part, Ended):
                        self._count(part)
                if events or not batch.parts:
                    yield events
        except Exception as error:
            if not isinstance(error, ApiError):
                LOG.exception("a response failed")
            self._failure = of_failure(error)
            yield builder.fail(self._failure)
        finally:
            if running is not None:
                running.cancel()
            ticket.close()
            if container is not None:
                containers.leave(container)
                containers.watch()
        if self.ask.request.store and self._failure is None:
            self._service.store.add(self._owner, self.response, as_items(self.ask.request.input), self._before)

    async def answer(self, ticket: Ticket) -> dict[str, Any]:
        """The whole response. `ApiError` when the model or the sandbox failed."""
        async for _ in self.events(ticket):
            pass
        if self._failure is not None:
            raise self._failure
        return self.response

    def _count(self, ended: Ended) -> None:
        try:
            self._service.server.count(self.asked, ended, self._request_id)
        except ApiError as error:
            self._failure = error

    # ------------------------------------------------------------------------------------------------------ internals

    def _conversation(self) -> Conversation:
        store, owner, ask = self._service.store, self._owner, self.ask
        known: dict[str, Item] = {}

        def lookup(item_id: str) -> Mapping[str, Any] | None:
            if not known:
                known.update(store.items(owner))
            return known.get(item_id)

        tools = self.asked.settings.tools
        return conversation_of(
            ask.request.input,
            ask.request.instructions,
            before=self._before,
            max_output_chars=tools.max_output_chars,
            lookup=lookup,
        )

    def _find_container(self) -> Container | None:
        """The container of the turn: the one that the request names, else the one that earlier code of it ran in, else a
        new one; none with tools off."""
        containers, owner, talk = self._service.containers, self._owner, self._talk
        if self._service.server.backend.toolbox(self._turn.settings) is None:
            return None
        if self.ask.container_id is not None:
            return containers.find(owner, self.ask.container_id)
        if talk.container_id is not None and containers.is_of(owner, talk.container_id):
            return containers.find(owner, talk.container_id)
        return containers.lend(owner, ELSEWHERE if talk.num_calls else "")

    def _builder(self, container: Container | None, tools: ContainerTools | None) -> EventBuilder:
        ask, settings = self.ask, self._turn.settings
        ignored_tools = [*self.asked.ignored_tools, *ask.ignored_tools]
        if ask.wants_code and container is None:
            ignored_tools.append(CODE)
        ignored = [*ask.ignored, *(f"input: {kind}" for kind in self._talk.ignored)]
        start: dict[str, Any] = {"ignored_tools": ignored_tools} if ignored_tools else {}
        if ignored:
            start["ignored"] = ignored
        if container is not None:
            start["container"] = {"id": container.id, **({"state_lost": container.lost} if container.lost else {})}
        self.response = response_body(ask, self.asked.variant.id, settings, start)
        if container is None or tools is None:
            return EventBuilder(self.response, dialect=ask.dialect)

        def marks(call: int) -> dict[str, Any]:
            notice = tools.notices.get(call)
            return {"state_lost": notice} if notice else {}

        return EventBuilder(
            self.response,
            container_id=container.id,
            max_calls=settings.tools.max_tool_calls,
            timeout_s=settings.tools.tool_timeout_s,
            dialect=ask.dialect,
            images=lambda call: tools.images.pop(call, ()),
            marks=marks,
        )


def response_body(ask: Ask, model: str, settings: RolloutSettings, start: dict[str, Any]) -> dict[str, Any]:
    """The response object as it begins."""
    request, sampling = ask.request, settings.sampling
    return {
        "id": new_id("resp"), "object": "response", "created_at": int(time.time()), "status": "in_progress",
        "background": False, "completed_at": None, "error": None, "incomplete_details": None,
        "instructions": request.instructions, "max_output_tokens": request.max_output_tokens,
        "max_tool_calls": settings.tools.max_tool_calls, "metadata": ask.metadata, "model": model, "output": [],
        "parallel_tool_calls": request.parallel_tool_calls, "previous_response_id": request.previous_response_id,
        "reasoning": {"effort": None, "summary": None}, "service_tier": "default", "store": request.store,
        "temperature": sampling.temperature, "text": {"format": {"type": "text"}},
        "tool_choice": shown_choice(request.tool_choice), "tools": ask.tools, "top_p": sampling.top_p,
        "truncation": "disabled", "usage": None, **({"start": start} if start else {}),
    }  # fmt: skip
