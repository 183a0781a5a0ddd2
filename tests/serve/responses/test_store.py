"""Stored responses: retrieval, going on with one, keys, bounds."""

from __future__ import annotations

from typing import Any

import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from selftaught.serve.errors import ApiError
from selftaught.serve.responses.store import ResponseStore

from .scripted import Server


@pytest.fixture
def client(server: Server) -> OpenAI:
    return OpenAI(base_url=server.url, api_key="key-a", max_retries=0)


def test_a_response_can_be_fetched_and_forgotten(client: OpenAI) -> None:
    made = client.responses.create(model="scripted", input="Hello", metadata={"a": "b"})
    assert client.responses.retrieve(made.id).model_dump() == made.model_dump()
    items = client.responses.input_items.list(made.id)
    assert [item.content[0].text for item in items.data] == ["Hello"]
    with pytest.raises(BadRequestError, match="only background"):
        client.responses.cancel(made.id)
    client.responses.delete(made.id)
    with pytest.raises(NotFoundError):
        client.responses.retrieve(made.id)


def test_a_chat_goes_on_by_id(server: Server, client: OpenAI) -> None:
    first = client.responses.create(model="scripted", input="One", instructions="Be brief.")
    second = client.responses.create(model="scripted", input="Two", previous_response_id=first.id)
    third = client.responses.create(model="scripted", input=[{"role": "user", "content": "Three"}], previous_response_id=second.id)  # fmt: skip
    engine: Any = server.backend.engine
    asked = engine.codec.decode(engine.sequences[-1].ids)
    assert asked.count("The answer is 0.") == 3 and "Be brief." not in asked, "instructions are not carried over"
    assert [asked.index(word) for word in ("One", "Two", "Three")] == sorted(
        asked.index(w) for w in ("One", "Two", "Three")
    )
    assert third.previous_response_id == second.id
    referred = client.responses.create(
        model="scripted",
        input=[{"type": "item_reference", "id": first.output[-1].id}, {"role": "user", "content": "?"}],
    )
    assert referred.status == "completed"


def test_what_is_not_stored_or_anothers_cannot_be_gone_on_with(server: Server, client: OpenAI) -> None:
    secret = client.responses.create(model="scripted", input="One", store=False)
    mine = client.responses.create(model="scripted", input="One")
    other = OpenAI(base_url=server.url, api_key="key-b", max_retries=0)
    for who, response_id in ((client, secret.id), (other, mine.id), (client, "resp_x")):
        with pytest.raises(BadRequestError) as caught:
            who.responses.create(model="scripted", input="Two", previous_response_id=response_id)
        assert caught.value.code == "previous_response_not_found"
        assert caught.value.param == "previous_response_id"
    with pytest.raises(NotFoundError):
        other.responses.retrieve(mine.id)


def test_the_store_is_bounded() -> None:
    store = ResponseStore(max_responses=2, max_chars=400)

    def add(name: str, size: int = 1) -> None:
        store.add("k", {"id": name, "output": [{"id": f"o-{name}", "text": "x" * size}]}, [], [])

    for name in ("a", "b", "c"):
        add(name)
    assert len(store) == 2
    with pytest.raises(ApiError):
        store.get("k", "a")
    add("large", 300)
    assert len(store) == 1 and set(store.items("k")) == {"o-large"} and not store.items("other")
    add("too large", 500)
    assert len(store) == 1
    store.delete("k", "large")
    assert len(store) == 0 and store._num_chars == 0
