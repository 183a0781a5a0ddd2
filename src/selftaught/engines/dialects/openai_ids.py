"""``/v1/completions`` by token ids: ``prompt`` is a list of ids, ``return_token_ids`` asks for them.

vLLM has it from 0.10.2 on. SGLang has it in newer versions (0.5.23, say); with older ones `selftaught.engines.dialects.sglang`
speaks another way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from selftaught.engines.base import Score
from selftaught.engines.dialects.base import Broken, ChunkReader, Dialect, Question, Served, Site, ids_of, score_of
from selftaught.engines.dialects.text import TextReader
from selftaught.errors import EngineError

_SGLANG_RESERVE = 6
"""SGLang takes a prompt only if it is shorter than the model's context by more than this."""


class OpenAiIds(Dialect):
    """The dialect of vLLM, and of any other server that answers a list of ids with ids."""

    kind: ClassVar[str] = "vllm"

    @classmethod
    def knows(cls, model: dict[str, Any], site: Site, allow_text: bool) -> bool:
        """Taken for every server that no other dialect knows; the first chunk tells whether it gives ids."""
        return True

    @classmethod
    def tokenize(cls, name: str, text: str, site: Site) -> list[int] | None:
        """From ``/tokenize``; where there is no such page, from the echo of a prompt that is sent as text."""
        plain = {"model": name, "prompt": text, "add_special_tokens": False}
        found = ids_of((site.post("/tokenize", plain) or {}).get("tokens"))
        if found is not None:
            return found
        return _echo(site.post("/v1/completions", {**plain, "max_tokens": 1, "return_token_ids": True}) or {})

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
            "stream_interval": question.tokens_per_chunk,
        }
        if question.bias:
            body["logit_bias"] = question.bias
        if question.top_logprobs:
            # Named by id: two tokens of one text would be one entry.
            body |= {"logprobs": question.top_logprobs, "return_tokens_as_token_ids": True}
        return "/v1/completions", body

    def reader(self, question: Question) -> ChunkReader:
        """Checks the echo of the prompt and takes the ids."""
        return _IdsReader(self, question)


class SglangIds(OpenAiIds):
    """The same of SGLang servers whose completions give ids."""

    kind: ClassVar[str] = "sglang"
    stream_tokens = 1_024
    """Few: SGLang lets a request in only when there is room for much of what it asks for."""

    @classmethod
    def knows(cls, model: dict[str, Any], site: Site, allow_text: bool) -> bool:
        """It signs its list of models; one token is asked for to see whether it comes with its id."""
        if model.get("owned_by") != "sglang":
            return False
        body = {"model": model["id"], "prompt": "1", "max_tokens": 1, "temperature": 0.0, "return_token_ids": True}
        choices = (site.post("/v1/completions", body) or {}).get("choices") or [{}]
        return ids_of(choices[0].get("token_ids")) is not None

    @classmethod
    def served(cls, model: dict[str, Any], site: Site) -> Served:
        """What the model list does not say."""
        return sglang_served(super().served(model, site), site)

    def request(self, question: Question) -> tuple[str, dict[str, Any]]:
        """With ``ignore_eos`` it would not stop at our own ids either, and admit fewer requests."""
        path, body = super().request(question)
        return path, {**body, "ignore_eos": False}


def sglang_served(plain: Served, site: Site) -> Served:
    """What SGLang's model list does not say: the folder under a served name, and how long a prompt may be."""
    info = site.get("/server_info") or site.get("/get_server_info") or {}  # newer and older versions
    context = plain.max_context
    limit = info.get("max_req_input_len") or (context - _SGLANG_RESERVE if context else None)
    root = info.get("tokenizer_path") or info.get("model_path") or plain.root
    return Served(plain.name, str(root), limit or context)


def _echo(answer: dict[str, Any]) -> list[int] | None:
    """The prompt's ids, as an answer repeats them."""
    choice = (answer.get("choices") or [{}])[0]
    return ids_of(choice.get("prompt_token_ids") or answer.get("prompt_token_ids"))


class _IdsReader(ChunkReader):
    """Ids of the choices; text alone only where that is allowed."""

    def __init__(self, dialect: OpenAiIds, question: Question) -> None:
        self._dialect, self._sent = dialect, question.ids
        self._text = TextReader(dialect.setting.codec)
        self._scores: list[Score] = []

    def feed(self, chunk: dict[str, Any]) -> tuple[list[int], bool]:
        choice = (chunk.get("choices") or [{}])[0]
        echoed = _echo(chunk)
        if echoed is not None and echoed != self._sent:
            raise EngineError(
                "the server echoes other prompt ids than it was sent; its tokenizer or template interferes."
            )
        if choice.get("finish_reason") == "abort":
            raise Broken("the server gave a request up")
        ids, dialect = choice.get("token_ids") or [], self._dialect
        if not ids and (choice.get("text") or dialect.text_only):
            if not dialect.setting.allow_text:
                raise EngineError(
                    "the server sends text without token ids; vLLM 0.10.2 or later gives them (return_token_ids). "
                    "--allow-text takes the text; such trajectories are marked, and trained on only after curate --allow-text-only."
                )
            dialect.text_only = True
            return self._text.feed(chunk)
        self._scores = _scores(choice.get("logprobs") or {}, len(ids))
        return list(ids), choice.get("finish_reason") is not None

    def take_scores(self) -> Sequence[Score | None]:
        return self._scores

    def end(self) -> list[int]:
        return self._text.end()


def _scores(told: dict[str, Any], num_ids: int) -> list[Score]:
    """From ``token_logprobs`` and ``top_logprobs``, which have an entry for each id."""
    own, likeliest = told.get("token_logprobs") or [], told.get("top_logprobs") or []
    if len(own) != num_ids or len(likeliest) != num_ids or None in own:
        return []
    return [score_of(one, (top or {}).values()) for one, top in zip(own, likeliest, strict=True)]
