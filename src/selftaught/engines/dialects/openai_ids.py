"""vLLM's ``/v1/completions`` by token ids: ``prompt`` is a list of ids, ``return_token_ids`` asks for them (vLLM 0.10.2 or later)."""

from __future__ import annotations

from typing import Any, ClassVar

from selftaught.engines.dialects.base import ChunkReader, Dialect, Question
from selftaught.engines.dialects.text import TextReader
from selftaught.errors import EngineError


class OpenAiIds(Dialect):
    """The dialect of vLLM, and of any other server that answers a list of ids with ids."""

    kind: ClassVar[str] = "vllm"

    @classmethod
    def knows(cls, model: dict[str, Any], allow_text: bool) -> bool:
        """Taken for every server that no other dialect knows; the first chunk tells whether it gives ids."""
        return True

    def request(self, question: Question) -> tuple[str, dict[str, Any]]:
        """Ids in, ids out. A server takes what is not named from the model's generation_config, such as QwQ's top_k."""
        body: dict[str, Any] = {
            "model": self.setting.model_name,
            "prompt": question.ids,
            "max_tokens": question.max_tokens,
            "temperature": question.params.temperature,
            "top_p": question.params.top_p,
            "top_k": -1,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "seed": question.seed,
            "stream": True,
            "return_token_ids": True,
            "ignore_eos": True,
            "skip_special_tokens": False,
            "stop_token_ids": question.stop_ids,
            "stream_interval": self.setting.tokens_per_chunk,
        }
        if question.bias:
            body["logit_bias"] = question.bias
        return "/v1/completions", body

    def reader(self, question: Question) -> ChunkReader:
        """Checks the echo of the prompt and takes the ids."""
        return _IdsReader(self, question)


class _IdsReader(ChunkReader):
    """Ids of the choices; text alone only where that is allowed."""

    def __init__(self, dialect: OpenAiIds, question: Question) -> None:
        self._dialect, self._sent = dialect, question.ids
        self._text = TextReader(dialect.setting.codec)

    def feed(self, chunk: dict[str, Any]) -> tuple[list[int], bool]:
        choice = (chunk.get("choices") or [{}])[0]
        echoed = choice.get("prompt_token_ids") or chunk.get("prompt_token_ids")
        if echoed is not None and list(echoed) != self._sent:
            raise EngineError(
                "the server echoes other prompt ids than it was sent; its tokenizer or template interferes."
            )
        ids, dialect = choice.get("token_ids") or [], self._dialect
        if not ids and (choice.get("text") or dialect.text_only):
            if not dialect.setting.allow_text:
                raise EngineError(
                    "the server sends text without token ids; vLLM 0.10.2 or later gives them (return_token_ids). "
                    "--allow-text takes the text; such trajectories are marked, and trained on only after curate --allow-text-only."
                )
            dialect.text_only = True
            return self._text.feed(chunk)
        return list(ids), choice.get("finish_reason") is not None

    def end(self) -> list[int]:
        return self._text.end()
