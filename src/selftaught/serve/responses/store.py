"""Responses that were answered, kept in memory for ``previous_response_id`` and ``GET /v1/responses/{id}``.

Each belongs to one API key. The store is bounded in number and in characters, the oldest go first, and a restart empties
it: a client that wants more sends the items itself. Nothing is written to a disk.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from selftaught.serve.errors import ApiError
from selftaught.serve.responses.items import new_id

Item = Mapping[str, Any]


@dataclass(slots=True)
class Stored:
    """One answered request."""

    owner: str
    response: dict[str, Any]
    input: list[Item]
    """Its own input, as items with ids."""
    items: list[Item]
    """The conversation so far: what came before, the input, the output."""
    num_chars: int = 0


class ResponseStore:
    """All of them. ``max_chars`` bounds what they hold together, as JSON."""

    def __init__(self, max_responses: int = 1_000, max_chars: int = 64_000_000) -> None:
        self._max_responses, self._max_chars = max_responses, max_chars
        self._stored: OrderedDict[str, Stored] = OrderedDict()
        self._num_chars = 0

    def __len__(self) -> int:
        return len(self._stored)

    def add(self, owner: str, response: dict[str, Any], given: list[Item], before: list[Item]) -> None:
        """Keep a finished response; ``before`` are the items of the conversation that it goes on with."""
        num_chars = len(json.dumps([response, given], ensure_ascii=False))
        if num_chars > self._max_chars:
            return
        stored = Stored(owner, response, given, [*before, *given, *response["output"]], num_chars)
        self._stored[response["id"]] = stored
        self._num_chars += num_chars
        while len(self._stored) > self._max_responses or self._num_chars > self._max_chars:
            _, oldest = self._stored.popitem(last=False)
            self._num_chars -= oldest.num_chars

    def get(self, owner: str, response_id: str) -> Stored:
        """One of ``owner``'s. ApiError 404."""
        found = self._stored.get(response_id)
        if found is None or found.owner != owner:
            raise ApiError(
                404, f"Response with id {response_id[:80]!r} not found.", param="response_id", code="not_found"
            )
        return found

    def before(self, owner: str, response_id: str) -> list[Item]:
        """The items that a request with this ``previous_response_id`` goes on with. ApiError 400."""
        found = self._stored.get(response_id)
        if found is None or found.owner != owner:
            raise ApiError(
                400,
                f"Previous response with id {response_id[:80]!r} not found. Responses are kept in memory, so many and no "
                "longer than the server runs: send the items of the conversation in input.",
                param="previous_response_id",
                code="previous_response_not_found",
            )
        return found.items

    def items(self, owner: str) -> dict[str, Item]:
        """The items of all of ``owner``'s responses by their ids, for references to them."""
        found: dict[str, Item] = {}
        for stored in self._stored.values():
            if stored.owner == owner:
                found.update((str(item.get("id")), item) for item in (*stored.input, *stored.response["output"]))
        return found

    def delete(self, owner: str, response_id: str) -> None:
        """Forget one. ApiError 404."""
        self.get(owner, response_id)
        self._num_chars -= self._stored.pop(response_id).num_chars


def as_items(given: Any) -> list[Item]:
    """A request's ``input`` as a list of items, each with an id."""
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    items: list[Item] = []
    for item in given:
        shown = dict(item)
        if "role" in shown:
            shown.setdefault("type", "message")
            shown.setdefault("status", "completed")
            if isinstance(shown.get("content"), str):
                kind = "output_text" if shown["role"] == "assistant" else "input_text"
                extra: dict[str, Any] = {"annotations": []} if kind == "output_text" else {}
                shown["content"] = [{"type": kind, "text": shown["content"], **extra}]
        shown.setdefault("id", new_id("msg" if shown.get("type") == "message" else "item"))
        items.append(shown)
    return items


def page(items: list[dict[str, Any]], after: str | None, limit: int, order: str) -> dict[str, Any]:
    """A page of a list in OpenAI's shape; ``items`` are the oldest first."""
    ordered = items if order == "asc" else items[::-1]
    ids = [str(item.get("id")) for item in ordered]
    start = ids.index(after) + 1 if after in ids else 0
    shown = ordered[start : start + limit]
    return {
        "object": "list",
        "data": shown,
        "first_id": shown[0].get("id") if shown else None,
        "last_id": shown[-1].get("id") if shown else None,
        "has_more": start + limit < len(ordered),
    }
