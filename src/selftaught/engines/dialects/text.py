"""Completions APIs that take and give text alone, used only with ``allow_text``.

The text is encoded here, so its trajectories are marked ``text_only``: nobody knows the ids that the model saw.
"""

from __future__ import annotations

from typing import Any, ClassVar

from selftaught.engines.dialects.base import ChunkReader, Dialect, Question, Setting, Site
from selftaught.tokens.codec import END_TOKENS, Codec


class OpenAiText(Dialect):
    """``/v1/completions`` with only what every such server takes."""

    kind: ClassVar[str] = "text"
    inexact: ClassVar[str | None] = (
        "it gives text without ids, its own sampling settings may be in force, and no token can be banned"
    )

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.text_only = True

    @classmethod
    def knows(cls, model: dict[str, Any], site: Site, allow_text: bool) -> bool:
        """Any server but vLLM, when text is allowed."""
        return allow_text and model.get("owned_by") != "vllm"

    def request(self, question: Question) -> tuple[str, dict[str, Any]]:
        """The prompt as text."""
        return "/v1/completions", {
            "model": self.setting.model_name,
            "prompt": self.setting.codec.decode(question.ids),
            "max_tokens": question.max_tokens,
            "temperature": question.params.temperature,
            "top_p": question.params.top_p,
            "seed": question.seed,
            "stream": True,
        }

    def reader(self, question: Question) -> ChunkReader:
        """Encodes the pieces."""
        return TextReader(self.setting.codec)


class TextReader(ChunkReader):
    """Ids of streamed text. What may be the beginning of a control token waits for the rest of it."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._held = ""

    def feed(self, chunk: dict[str, Any]) -> tuple[list[int], bool]:
        """Ids of all that is certain. Never the last: held text may follow."""
        choice = (chunk.get("choices") or [{}])[0]
        ids = self.take(choice.get("text") or "")
        return [*ids, *(self.stopped() if choice.get("finish_reason") == "stop" else [])], False

    def take(self, text: str) -> list[int]:
        """Ids of ``text`` and what was held before it, save what is held now."""
        text = self._held + text
        keep = max(
            (
                length
                for control in self._codec.control
                for length in range(1, min(len(control), len(text) + 1))
                if text.endswith(control[:length])
            ),
            default=0,
        )
        sure, self._held = (text[:-keep], text[-keep:]) if keep else (text, "")
        return self._codec.encode_control(sure) if sure else []

    def stopped(self) -> list[int]:
        """Ids of what was held, and the end token that such an API swallows when the model stops by itself."""
        codec = self._codec
        named = [codec.added[token] for token in END_TOKENS if token in codec.added]
        ends = [token_id for token_id in [*named, *sorted(codec.end_ids)] if token_id in codec.end_ids]
        return [*self.end(), *ends[:1]]

    def end(self) -> list[int]:
        """Ids of what was held."""
        held, self._held = self._held, ""
        return self._codec.encode_control(held) if held else []
