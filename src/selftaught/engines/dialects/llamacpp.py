"""llama.cpp's ``/completion`` by token ids (``llama-server``; ``return_tokens`` is there since December 2024).

What this server does in its own way, and what is done about it here:

- A stream loses ids: tokens that end inside a character are not sent. So nothing is streamed. A request asks for a short
  stretch, and the next one continues it. The prompt's cache makes that one token of work.
- It stops at texts, not at ids. The texts are sent, and what came after the watched id is cut off by the caller. A control
  token has no text there unless it is named in ``preserved_tokens``.
- Its own sampling settings (top-k 40, top-p 0.95 before the temperature, min-p 0.05, whatever was given when it was
  started) are in force where a request names none. All are named.
- ``ignore_eos`` there forbids the end tokens. It is never switched on; an end token ends the answer and is in it.
- Its biases are added to those it was started with, unless the list is sent. It is always sent.
- It says nothing of what it left out. So the ids are counted, and the prompt's too.
- It tells no log-probabilities of the last tokens before a stop text, just those that are wanted, nor of tokens that end
  inside a character. Where scores are wanted, it is asked for shorter stretches without stops.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar
from urllib.parse import quote

from selftaught.engines.base import Score
from selftaught.engines.dialects.base import (
    ChunkReader,
    Dialect,
    Form,
    Question,
    Served,
    Setting,
    Site,
    ids_of,
    score_of,
)
from selftaught.errors import EngineError
from selftaught.tokens.codec import Codec

_CHUNKS_PER_REQUEST = 6
"""A request asks for so many chunks' worth of tokens at most: 96, or 24 where somebody may be watching."""
_CHUNKS_PER_SCORED = 2
"""The same where scores are wanted: what comes after the token that is looked at is thrown away."""

_NEUTRAL: dict[str, Any] = {
    "samplers": ["temperature", "top_p"],  # in this order, as the other engines draw; its own is the other way round
    "top_k": 0,
    "min_p": 0.0,
    "typical_p": 1.0,
    "top_n_sigma": -1.0,
    "xtc_probability": 0.0,
    "dynatemp_range": 0.0,
    "repeat_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "dry_multiplier": 0.0,
    "mirostat": 0,
    "min_keep": 0,
    "ignore_eos": False,
    "n_indent": 0,
    "t_max_predict_ms": -1,
    "n_keep": 0,
}
"""Nothing but temperature and top-p changes the distribution."""

_WANTED = ["tokens", "tokens_predicted", "tokens_evaluated", "stop_type", "completion_probabilities", "error"]
"""Fields of the answer. The others repeat the prompt and all settings."""


class LlamaCpp(Dialect):
    """The dialect of ``llama-server``."""

    kind: ClassVar[str] = "llamacpp"
    form: ClassVar[Form] = Form.WHOLE
    silence_s: ClassVar[float] = 900.0
    """A whole stretch on a slow machine, behind a long prompt and the other slots."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._stops: dict[tuple[tuple[int, ...], tuple[str, ...]], tuple[list[str], list[str]]] = {}

    @classmethod
    def knows(cls, model: dict[str, Any], site: Site, allow_text: bool) -> bool:
        """It signs its list of models; under another signature (a proxy's) its ``/props`` tells."""
        signed = model.get("owned_by")
        if signed == "llamacpp":
            return True
        return signed not in ("vllm", "sglang") and "total_slots" in _props(model, site)

    @classmethod
    def served(cls, model: dict[str, Any], site: Site) -> Served:
        """Context and slots from ``/props``: a sequence has one slot's context. EngineError where they are not told."""
        name, props = str(model["id"]), _props(model, site)
        settings = props.get("default_generation_settings") or {}
        context = settings.get("n_ctx") or (model.get("meta") or {}).get("n_ctx")
        if not isinstance(context, int) or context < 1:
            raise EngineError(
                f"the llama.cpp server of {name} does not tell its context size; expected n_ctx in /props."
            )
        return Served(name, str(props.get("model_path") or name), context, slots=props.get("total_slots"))

    @classmethod
    def tokenize(cls, name: str, text: str, site: Site) -> list[int] | None:
        """From ``/tokenize``."""
        body = {"model": name, "content": text, "add_special": False, "parse_special": True}
        return ids_of((site.post("/tokenize", body) or {}).get("tokens"))

    def request(self, question: Question) -> tuple[str, dict[str, Any]]:
        """Ids in, ids out, not streamed."""
        scored = question.top_logprobs > 0
        stop, preserved = ([], []) if scored else self._texts(question)
        most = question.tokens_per_chunk * (_CHUNKS_PER_SCORED if scored else _CHUNKS_PER_REQUEST)
        return "/completion", {
            "model": self.setting.model_name,  # for a server of several models
            "prompt": question.ids,
            "n_predict": min(question.max_tokens, most),
            "temperature": question.params.temperature,
            "top_p": question.params.top_p,
            **_NEUTRAL,
            "seed": question.seed,
            "stream": False,
            "return_tokens": True,
            "cache_prompt": True,
            "stop": stop,
            "preserved_tokens": preserved,
            "logit_bias": [[int(token_id), False] for token_id in question.bias],
            "n_probs": question.top_logprobs,
            "post_sampling_probs": False,
            "response_fields": _WANTED,
        }

    def _texts(self, question: Question) -> tuple[list[str], list[str]]:
        """Where to stop, and those control tokens that it has to spell out for that."""
        key = (tuple(question.stop_ids), question.stop_texts)
        if key not in self._stops:
            codec = self.setting.codec
            spelled = {_text(codec.token_bytes[token_id]) for token_id in question.stop_ids} - {None, ""}
            texts = {text for text in spelled if text is not None} | set(question.stop_texts)
            # A text that holds another one is found with it.
            stop = [text for text in texts if not any(other != text and other in text for other in texts)]
            self._stops[key] = sorted(stop), sorted(texts & codec.control.keys())
        return self._stops[key]

    def reader(self, question: Question) -> ChunkReader:
        """Counts what was read and what is told."""
        return _WholeReader(self.setting.codec, len(question.ids))


class _WholeReader(ChunkReader):
    """The one answer of a request."""

    def __init__(self, codec: Codec, num_sent: int) -> None:
        self._codec, self._num_sent = codec, num_sent
        self._scores: list[Score | None] = []

    def feed(self, chunk: dict[str, Any]) -> tuple[list[int], bool]:
        ids, told = ids_of(chunk.get("tokens")), chunk.get("tokens_predicted")
        if ids is None or len(ids) != told:
            have = "no ids" if ids is None else f"{len(ids)} ids"
            raise EngineError(
                f"the llama.cpp server sends {have} for {told} tokens; expected one each (return_tokens). "
                "A version of 2025 or later gives them."
            )
        read = chunk.get("tokens_evaluated", self._num_sent)
        if read != self._num_sent:
            raise EngineError(f"the llama.cpp server read {read} prompt ids; it was sent {self._num_sent}.")
        self._scores = _scores(self._codec, ids, chunk.get("completion_probabilities") or [])
        return ids, True

    def take_scores(self) -> Sequence[Score | None]:
        return self._scores


def _scores(codec: Codec, ids: list[int], told: list[dict[str, Any]]) -> list[Score | None]:
    """Scores by place. A token at whose end the text ends inside a character is left out of what is told."""
    scores: list[Score | None] = []
    rest, tail = iter(told), b""
    for token_id in ids:
        tail = (tail + (b"" if token_id in codec.control_ids else codec.token_bytes[token_id]))[-4:]
        entry = next(rest, {}) if _is_whole(tail) else {}
        if entry and entry.get("id") != token_id:
            return []
        likeliest = (one["logprob"] for one in entry.get("top_logprobs") or [])
        scores.append(score_of(entry["logprob"], likeliest) if entry else None)
    return scores if told else []


def _is_whole(tail: bytes) -> bool:
    """Whether a text that ends so ends between two characters, as llama.cpp judges it."""
    for back, byte in enumerate(reversed(tail), 1):
        if byte >= 0xC0:
            return back >= (2 if byte < 0xE0 else 3 if byte < 0xF0 else 4)
    return True


def _props(model: dict[str, Any], site: Site) -> dict[str, Any]:
    """``/props``; a server of several models wants the model's name, others ignore it."""
    return site.get(f"/props?model={quote(str(model['id']), safe='')}") or {}


def _text(raw: bytes) -> str | None:
    """The token's text; None for one that ends inside a character."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
