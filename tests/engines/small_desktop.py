"""Small real HTTP servers that behave as Ollama and LM Studio do where our client depends on it: text in, text out.

From their documentation and source (Ollama ``api/types.go``, LM Studio's REST pages). Neither program is run by the tests.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from selftaught.engines import SampleRequest, SamplingParams, SequenceKey
from selftaught.engines.local import LocalEngine

from .loopback import Loopback


class SmallDesktop(Loopback):
    """What both do: encode the prompt, go on greedily, and give pieces of text that end anywhere, without the end token."""

    def __init__(self, engine: LocalEngine) -> None:
        super().__init__(engine)
        self.options: list[dict[str, Any]] = []
        """Sampling settings of each request."""
        self.said: list[int] = []
        """Ids of the last answer."""

    async def text(self, prompt: str, limit: int) -> tuple[list[str], str]:
        """Pieces of five characters, and why it ends."""
        codec = self.engine.codec
        ids = codec.encode_control(prompt)
        self.num_requests += 1
        self.prompts.append(ids)
        row = self.engine.open(SequenceKey(), SamplingParams())
        row.extend(ids)
        said = (
            await row.sample(
                SampleRequest(limit, codec.token_set(f"ends{sorted(codec.end_ids)}", lambda: codec.end_ids))
            )
        ).token_ids
        row.close()
        self.said = said
        stopped = said[-1] in codec.end_ids
        text = codec.decode(said[:-1] if stopped else said)
        return [text[at : at + 5] for at in range(0, len(text), 5)], "stop" if stopped else "length"


class SmallOllama(SmallDesktop):
    """``parameters`` is what the model file names, ``longest`` the context that the model can hold."""

    def __init__(self, engine: LocalEngine, parameters: str = "", longest: int = 32_768) -> None:
        super().__init__(engine)
        self.parameters, self.longest = parameters, longest
        self.pages["/v1/models"] = {"data": [{"id": "tiny:latest", "owned_by": "library"}]}
        self.pages["/api/version"] = {"version": "0.30.0"}

    async def post(self, path: str, asked: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        if path == "/api/show" and asked["model"] == "tiny:latest":
            info = {"general.architecture": "qwen2", "qwen2.context_length": self.longest}
            self.reply(writer, {"parameters": self.parameters, "model_info": info})
        elif path == "/api/generate" and asked["raw"]:
            self.options.append(asked["options"])
            pieces, reason = await self.text(asked["prompt"], asked["options"]["num_predict"])
            self.begin(writer)
            lines: list[dict[str, Any]] = [{"response": piece, "done": False} for piece in pieces]
            lines.append({"response": "", "done": True, "done_reason": reason, "eval_count": 1})
            for line in lines:
                self.piece(writer, json.dumps({"model": "tiny:latest", **line}).encode() + b"\n")
            self.piece(writer, b"")
        else:
            self.reply(writer, {"error": "not found"}, 404)


class SmallLmStudio(SmallDesktop):
    """``loaded`` is the context that the model was loaded with."""

    def __init__(self, engine: LocalEngine, loaded: int | None = 4_096, longest: int = 32_768) -> None:
        super().__init__(engine)
        self.pages["/v1/models"] = {"data": [{"id": "tiny", "owned_by": "organization_owner"}]}
        about: dict[str, Any] = {"id": "tiny", "state": "loaded" if loaded else "not-loaded"}
        about |= {"max_context_length": longest, **({"loaded_context_length": loaded} if loaded else {})}
        self.pages["/api/v0/models"] = {"data": [about]}

    async def post(self, path: str, asked: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        if path != "/v1/completions":
            self.reply(writer, {"error": "Unexpected endpoint or method."}, 200)  # as it answers
            return
        self.options.append(asked)
        pieces, reason = await self.text(asked["prompt"], asked["max_tokens"])
        self.begin(writer)
        choices: list[dict[str, Any]] = [{"text": piece, "finish_reason": None} for piece in pieces]
        for choice in [*choices, {"text": "", "finish_reason": reason}]:
            self.piece(writer, f"data: {json.dumps({'choices': [choice]})}\n\n".encode())
        self.piece(writer, b"data: [DONE]\n\n")
        self.piece(writer, b"")
