"""Input items turned into chat messages."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.serve.errors import ApiError
from selftaught.serve.responses.inputs import conversation_of

USER = {"role": "user", "content": "Go on."}


def chat(*items: Any, **options: Any) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in conversation_of(list(items), **options).chat]


def test_a_text_is_a_question() -> None:
    assert conversation_of("What is 2 + 2?", "Be brief.").chat == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is 2 + 2?"},
    ]


def test_earlier_code_is_shown_as_the_model_writes_it() -> None:
    call = {
        "type": "code_interpreter_call", "id": "ci_1", "code": "print(6 * 7)", "container_id": "cntr_1",
        "outputs": [{"type": "logs", "logs": "42\n"}, {"type": "image", "url": "data:image/png;base64,AA"}],
        "status": "completed",
    }  # fmt: skip
    answer = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "It is 42."}]}
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm."}]}
    found = conversation_of([{"role": "user", "content": "6 * 7?"}, thought, call, thought, answer, USER])
    assert [message["role"] for message in found.chat] == ["user", "assistant", "user"]
    assert found.chat[1]["content"] == "```python\nprint(6 * 7)\n```\n```output\n42\n```\nIt is 42."
    assert (found.container_id, found.num_calls) == ("cntr_1", 1)


def test_open_webui_sends_its_own_items_back() -> None:
    call = {
        "type": "open_webui:code_interpreter", "id": "x", "status": "completed", "code": "1 + 1", "lang": "python",
        "output": {"stdout": "", "stderr": "", "result": "2"}, "duration": 0.1,
    }  # fmt: skip
    found = conversation_of([USER, call, {"type": "open_webui:tool_calls", "x": 1}, USER])
    assert found.chat[1]["content"] == "```python\n1 + 1\n```\n```output\n2\n```\n"
    assert (found.container_id, found.num_calls, found.ignored) == (None, 1, ["open_webui:tool_calls"])


def test_calls_of_the_clients_functions_become_text() -> None:
    assert chat(
        USER,
        {"type": "function_call", "name": "weather", "arguments": '{"at": "Ulm"}', "call_id": "c1"},
        {"type": "function_call_output", "call_id": "c1", "output": "rain"},
        {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "sun"}]},
        {"role": "assistant", "content": "Rain."},
        USER,
    )[1] == (
        "assistant",
        '(The function weather was called with {"at": "Ulm"}.)\n(The function weather returned: rain)\n'
        "(A function returned: sun)\nRain.",
    )


def test_systems_come_first_and_roles_take_turns() -> None:
    assert chat(USER, {"role": "developer", "content": "B"}, USER, instructions="A") == [
        ("system", "A\n\nB"), ("user", "Go on.\n\nGo on.")
    ]  # fmt: skip


def test_a_long_output_loses_its_middle() -> None:
    call = {"type": "code_interpreter_call", "code": "f()", "outputs": [{"type": "logs", "logs": "x" * 10_000}]}
    assert len(chat(USER, call, max_output_chars=200)[1][1]) < 400


def test_a_reference_is_looked_up() -> None:
    known = {"msg_1": {"type": "message", "role": "user", "content": "From before"}}
    assert chat({"id": "msg_1"}, USER, lookup=known.get) == [("user", "From before\n\nGo on.")]
    with pytest.raises(ApiError, match="no stored item 'msg_2'"):
        chat({"type": "item_reference", "id": "msg_2"}, USER, lookup=known.get)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "at least one item"),
        (7, "a text or a list"),
        ("  ", "no text of a user"),
        ([7], r"input\[0\] must be an object"),
        ([{}], r"input\[0\].type must be one of"),
        ([{"type": "telepathy"}], r"input\[0\].type is 'telepathy'; expected message, "),
        ([{"role": "cat", "content": "x"}], r"input\[0\].role must be one of"),
        ([{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}], "reads text alone"),
        ([USER, {"type": "code_interpreter_call", "code": 7}], r"input\[1\].code must be a text"),
        ([USER, {"type": "code_interpreter_call", "code": "1", "outputs": {}}], r"input\[1\].outputs must be a list"),
        ([{"role": "assistant", "content": "x"}], "no text of a user"),
    ],
)
def test_what_is_no_input_is_named(items: Any, message: str) -> None:
    with pytest.raises(ApiError, match=message) as caught:
        conversation_of(items)
    assert caught.value.status == 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
ITEM = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(
            ["message", "reasoning", "code_interpreter_call", "open_webui:code_interpreter", "function_call",
             "function_call_output", "item_reference", "mcp_call", "program"]
        )
        | JSON,
        "role": st.sampled_from(["user", "assistant", "system"]) | JSON,
        "content": st.text(max_size=5) | JSON,
        "code": st.text(max_size=5) | JSON,
        "outputs": st.lists(st.fixed_dictionaries({"logs": st.text(max_size=5) | JSON}), max_size=2) | JSON,
        "output": JSON,
        "id": JSON,
        "name": JSON,
        "arguments": JSON,
        "call_id": JSON,
        "container_id": JSON,
    },
)  # fmt: skip


@given(st.lists(ITEM | JSON, max_size=4) | JSON)
def test_anything_is_a_conversation_or_named(items: Any) -> None:
    try:
        found = conversation_of(items)
    except ApiError:
        return
    roles = [message["role"] for message in found.chat if message["role"] != "system"]
    assert "user" in roles and all(one != two for one, two in zip(roles, roles[1:], strict=False))
    for message in found.chat:
        message["content"].encode()
