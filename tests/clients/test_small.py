"""OpenAI SDK, LiteLLM, LangChain, the ``llm`` command."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import ANSWER, QUESTION, program, run, run_script

pytestmark = pytest.mark.clients
OUTPUT = "```output\n18\n```"


def test_openai(url: str) -> None:
    got = run_script("openai", "small.py", "openai", url, QUESTION)
    assert got["models"] == ["toy", "toy:hint", "toy:no-tools"]
    assert [got[key] for key in ("whole", "streamed", "responses", "async")] == [ANSWER] * 4
    assert got["logs"] == ["18\n"]


def test_litellm(url: str) -> None:
    got = run_script("litellm", "small.py", "litellm", url, QUESTION)
    assert (got["whole"], got["streamed"]) == (ANSWER, ANSWER)
    assert OUTPUT in got["reasoning"] and OUTPUT in got["streamed_reasoning"]


def test_langchain(url: str) -> None:
    got = run_script("langchain", "small.py", "langchain", url, QUESTION)
    kinds = ("whole", "streamed", "with_tools", "responses", "responses_streamed")
    assert [got[kind] for kind in kinds] == [ANSWER] * 5
    assert got["tool_calls"] == [], "tools of the client are not called; the answer says so in `start`"


def test_llm(url: str, tmp_path: Path) -> None:
    command = program("llm", "bin/llm")
    models = [("chat", "false"), ("responses", "true")]
    lines = [f"- {{model_id: {name}, model_name: 'toy:hint', api_base: '{url}', responses: {yes}, supports_tools: {yes}}}\n"
             for name, yes in models]  # fmt: skip
    (tmp_path / "extra-openai-models.yaml").write_text("".join(lines))
    home = {"LLM_USER_PATH": str(tmp_path)}
    for options in (
        ["-m", "chat"],
        ["-m", "chat", "--no-stream"],
        ["-c"],
        ["-m", "responses", "-T", "CodeInterpreter"],
    ):
        assert run([command, *options, QUESTION], **home).strip().endswith(ANSWER.rpartition("{")[2]), options
    logged = run([command, "logs", "-n", "1"], **home)
    assert "code_interpreter" in logged and "```\n    18\n" in logged
