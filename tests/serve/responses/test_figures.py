"""Figures that code draws come back as image outputs."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI

from selftaught.rollouts.settings import RolloutSettings
from selftaught.sandbox import SandboxSettings

from .scripted import ScriptedBackend, Server, opened

PLOT = "import matplotlib.pyplot as plt\nplt.figure(figsize=(1, 1))\nplt.plot([1, 2])\nplt.show()"


class DrawingBackend(ScriptedBackend):
    """With matplotlib in its sandbox."""

    sandbox_settings = SandboxSettings(preload=(), light=False, timeout_s=60, max_images=2)


@pytest.fixture(scope="module")
def drawing() -> Iterator[Server]:
    with opened(DrawingBackend("toy", RolloutSettings(figures=2))) as backend:
        found = Server(backend)
        yield found
        found.stop()


def test_figures_are_outputs_of_their_call(drawing: Server) -> None:
    client = OpenAI(base_url=drawing.url, api_key="k", max_retries=0)
    tools: list[Any] = [{"type": "code_interpreter", "container": {"type": "auto"}}]
    question = f"Draw ⟦{PLOT}\nprint('drawn')⟧ then ⟦1 + 1⟧ and ⟦plt.plot([3])\nplt.show()⟧"
    response = client.responses.create(model="scripted", input=question, tools=tools)
    first, second, third = (item.outputs for item in response.output if item.type == "code_interpreter_call")
    assert [output.type for output in first] == ["logs", "image"]
    assert first[0].logs.startswith("drawn\n[figure 1: "), "the model reads that there is a figure"
    kind, _, data = first[1].url.partition(",")
    assert kind == "data:image/png;base64" and base64.b64decode(data).startswith(b"\x89PNG\r\n")
    assert [output.type for output in second] == ["logs"]
    assert [output.type for output in third] == ["logs", "image"], "earlier cells that run again show nothing again"
    history = [{"role": "user", "content": "Draw"}, *[item.model_dump() for item in response.output]]
    again = client.responses.create(model="scripted", input=[*history, {"role": "user", "content": "Well?"}])
    assert again.output_text == "The answer is 0."
