"""One Responses request from its body to its events: what is asked, the container, the turn, the store."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from selftaught.serve.backend import Backend
from selftaught.serve.containers import ELSEWHERE, Container, Containers, ContainerTools
from selftaught.serve.errors import of_failure, unsupported
from selftaught.serve.messages import problem_of
from selftaught.serve.models import NO_TOOLS, Catalog
from selftaught.serve.responses.events import Event, EventBuilder
from selftaught.serve.responses.inputs import Conversation, conversation_of
from selftaught.serve.responses.items import new_id
from selftaught.serve.responses.request import CODE, Ask
from selftaught.serve.responses.store import Item, ResponseStore, as_items
from selftaught.serve.turns import Turn, run_turn


@dataclass(slots=True)
class Service:
    """What all Responses requests share."""

    backend: Backend
    catalog: Catalog
    containers: Containers
    store: ResponseStore = field(default_factory=ResponseStore)
    dialect: str = ""
    """Of requests that name none."""


@dataclass(slots=True)
class Answer:
    """A request that was accepted. ``events`` may be taken once; then ``builder.response`` is the answer."""

    service: Service
    ask: Ask
    owner: str
    turn: Turn
    builder: EventBuilder
    container: Container | None
    before: list[Item]
    given: list[Item]

    async def events(self) -> AsyncIterator[list[Event]]:
        """The events as they come, those that belong together in one list. Leaving early cancels the turn."""
        builder, containers = self.builder, self.service.containers
        if self.container is not None:
            containers.enter(self.container)
        try:
            yield builder.begin()
            try:
                async for part in run_turn(self.service.backend, self.turn):
                    events = builder.take(part)
                    if events:
                        yield events
            except Exception as error:
                yield builder.fail(of_failure(error))
        finally:
            if self.container is not None:
                containers.leave(self.container)
                containers.watch()
        self._keep()

    async def whole(self) -> dict[str, Any]:
        """The answer in one piece. Raises ApiError where the turn could not begin."""
        async for _ in self.events():
            pass
        return self.builder.response

    def _keep(self) -> None:
        if self.ask.store:
            self.service.store.add(self.owner, self.builder.response, self.given, self.before)


def accept(service: Service, ask: Ask, owner: str) -> Answer:
    """Check a request against the model, the store and the containers. Raises ApiError."""
    catalog = service.catalog
    variant = catalog[ask.model]
    before: list[Item] = []
    if ask.previous_response_id is not None:
        before = service.store.before(owner, ask.previous_response_id)
    talk = _conversation(service, ask, owner, before, variant.settings.tools.max_output_chars)
    if ask.mode is not None and not (ask.mode == "hint" and variant.mode == NO_TOOLS):
        variant = catalog.mode(variant, ask.mode)
    if ask.mode == "hint" and not variant.settings.tools.enabled:
        raise unsupported("tool_choice", f"the model {variant.id!r} runs no Python.")
    settings = variant.settings.changed(**_changes(ask, variant.settings.flat()))
    ignored_tools = list(ask.ignored_tools)
    container: Container | None = None
    tools: ContainerTools | None = None
    box = service.backend.toolbox(settings)
    if box is not None:
        container = _container(service.containers, ask, talk, owner)
        tools = ContainerTools(box, container)
    elif ask.wants_code:
        ignored_tools.append(CODE)
    start: dict[str, Any] = {}
    if ignored_tools:
        start["ignored_tools"] = ignored_tools
    if ask.ignored or talk.ignored:
        start["ignored"] = [*ask.ignored, *(f"input: {kind}" for kind in talk.ignored)]
    if container is not None:
        start["container"] = {"id": container.id, **({"state_lost": container.lost} if container.lost else {})}
    given = as_items(ask.input)
    response = _response(ask, variant.id, settings.flat(), start)
    return Answer(
        service,
        ask,
        owner,
        Turn(problem_of(talk.chat), settings, tools=tools),
        _builder(response, ask, settings.tools.max_tool_calls, settings.tools.tool_timeout_s, tools),
        container,
        before,
        given,
    )


def _conversation(service: Service, ask: Ask, owner: str, before: list[Item], max_output_chars: int) -> Conversation:
    known: dict[str, Item] = {}

    def lookup(item_id: str) -> Mapping[str, Any] | None:
        if not known:
            known.update(service.store.items(owner))
        return known.get(item_id)

    given = ask.input
    if before:
        given = [*before, *(as_items(given) if isinstance(given, str | list) and _are_objects(given) else [given])]
    return conversation_of(given, ask.instructions, max_output_chars=max_output_chars, lookup=lookup)


def _are_objects(given: Any) -> bool:
    return isinstance(given, str) or all(isinstance(item, Mapping) for item in given)


def _container(containers: Containers, ask: Ask, talk: Conversation, owner: str) -> Container:
    """The container of a request: the one that it names, else the one that earlier code of it ran in, else a new one."""
    if ask.container_id is not None:
        return containers.find(owner, ask.container_id)
    if talk.container_id is not None and containers.is_of(owner, talk.container_id):
        return containers.find(owner, talk.container_id)
    return containers.lend(owner, ELSEWHERE if talk.num_calls else "")


def _changes(ask: Ask, flat: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that the request changes, by flat key."""
    changes: dict[str, Any] = {
        "temperature": ask.temperature,
        "top_p": ask.top_p,
        "seed": ask.seed,
        "max_tool_calls": ask.max_tool_calls,
    }
    if ask.max_output_tokens is not None:
        changes["max_tokens"] = min(ask.max_output_tokens, flat["max_tokens"])
    return {key: value for key, value in changes.items() if value is not None}


def _builder(
    response: dict[str, Any], ask: Ask, max_calls: int, timeout_s: float, tools: ContainerTools | None
) -> EventBuilder:
    if tools is None:
        return EventBuilder(response, dialect=ask.dialect)

    def marks(call: int) -> dict[str, Any]:
        notice = tools.notices.get(call)
        return {"state_lost": notice} if notice else {}

    return EventBuilder(
        response,
        container_id=tools.container.id,
        max_calls=max_calls,
        timeout_s=timeout_s,
        dialect=ask.dialect,
        events=ask.events,
        images=lambda call: tools.images.pop(call, ()),
        marks=marks,
    )


def _response(ask: Ask, model: str, flat: Mapping[str, Any], start: dict[str, Any]) -> dict[str, Any]:
    """The response object as it begins."""
    return {
        "id": new_id("resp"), "object": "response", "created_at": int(time.time()), "status": "in_progress",
        "background": False, "completed_at": None, "error": None, "incomplete_details": None,
        "instructions": ask.instructions, "max_output_tokens": ask.max_output_tokens,
        "max_tool_calls": flat["max_tool_calls"], "metadata": ask.metadata, "model": model, "output": [],
        "parallel_tool_calls": ask.parallel_tool_calls, "previous_response_id": ask.previous_response_id,
        "reasoning": {"effort": None, "summary": None}, "service_tier": "default", "store": ask.store,
        "temperature": flat["temperature"], "text": {"format": {"type": "text"}}, "tool_choice": ask.tool_choice,
        "tools": ask.tools, "top_p": flat["top_p"], "truncation": "disabled", "usage": None,
        **({"start": start} if start else {}),
    }  # fmt: skip
