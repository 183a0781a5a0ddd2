"""A small real HTTP server that behaves as ``llama-server`` does where our client depends on it.

From the source of build 11434 (November 2026): ``/v1/models``, ``/props``, ``/tokenize`` and ``/completion``, not streamed.
Settings that a request does not name are the server's own. Stops are searched in the text after each token; control tokens
have no text unless they are preserved; all sampled ids are told, the end token and those of a stop included.
"""

from __future__ import annotations

import asyncio
from typing import Any

import torch

from selftaught.engines import SampleRequest, SamplingParams, SequenceKey
from selftaught.engines.local import LocalEngine
from selftaught.engines.model import Prefill, SlotModel

from .loopback import Loopback

OWN = {
    "temperature": 0.8,
    "top_k": 40,
    "top_p": 0.95,
    "min_p": 0.05,
    "typical_p": 1.0,
    "top_n_sigma": -1.0,
    "repeat_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "dry_multiplier": 0.0,
    "xtc_probability": 0.0,
    "dynatemp_range": 0.0,
    "mirostat": 0,
    "ignore_eos": False,
    "logit_bias": [],
    "samplers": ["penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"],
    "stop": [],
    "seed": -1,
}
"""Its own settings, of which a request should leave none in force."""


class SmallLlamaCpp(Loopback):
    """``slots`` requests are worked on at once; the others wait. ``forgets`` leaves an id out of each answer."""

    def __init__(
        self, engine: LocalEngine, root: str, *, slots: int = 3, context: int | None = None, signed: str = "llamacpp"
    ) -> None:
        super().__init__(engine)
        self.context = context or engine.max_context
        self.forgets = 0
        self.own_in_force: set[str] = set()
        """Settings of its own that some request left in force."""
        self.bos = 0
        """Prompts that came as text, in front of which it puts a BOS token."""
        self.most_asked = 0
        """Most requests that were there at once, waiting ones too."""
        self.num_evaluated = 0
        """Prompt tokens that were not in the cache of the slot that was free and fitted best."""
        self._asked_now = 0
        self._slots = asyncio.Semaphore(slots)
        self._caches: list[list[int]] = [[] for _ in range(slots)]
        """What the free slots hold, the least recently used first."""
        meta = {"n_ctx": self.context, "n_vocab": engine.codec.vocab_size}
        self.pages["/v1/models"] = {"data": [{"id": "tiny", "owned_by": signed, "meta": meta}]}
        self.pages["/props"] = {
            "default_generation_settings": {"params": {}, "n_ctx": self.context},
            "total_slots": slots,
            "model_alias": "tiny",
            "model_path": root,
        }

    async def post(self, path: str, asked: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        codec = self.engine.codec
        if path == "/tokenize":
            text = asked["content"]
            ids = codec.encode_control(text) if asked.get("parse_special", True) else codec.encode(text)
            self.reply(writer, {"tokens": ids})
        elif path == "/completion":
            self._asked_now += 1
            self.most_asked = max(self.most_asked, self._asked_now)
            try:
                async with self._slots:
                    self.num_streams += 1
                    self.most_streams = max(self.most_streams, self.num_streams)
                    await self._complete(asked, writer)
            finally:
                self.num_streams -= 1
                self._asked_now -= 1
        elif path == "/v1/completions":  # it ignores return_token_ids
            self.reply(writer, {"choices": [{"text": "?", "finish_reason": "length"}]})
        else:
            self.reply(writer, {"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}}, 404)

    async def _complete(self, asked: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        self.num_requests += 1
        prompt = asked["prompt"]
        if isinstance(prompt, str):
            self.bos += 1
            prompt = [0, *self.engine.codec.encode_control(prompt)]
        self.prompts.append(prompt)
        self.own_in_force |= OWN.keys() - asked.keys()
        if len(prompt) >= self.context:
            message = f"request ({len(prompt)} tokens) exceeds the available context size ({self.context} tokens)"
            error = {"code": 400, "message": message, "type": "exceed_context_size_error"}
            self.reply(writer, {"error": error}, 400)
            return
        given = {**OWN, **asked}
        cache = max(self._caches, key=lambda held: _common(held, prompt))
        self._caches.remove(cache)
        self.num_evaluated += len(prompt) - min(_common(cache, prompt), len(prompt) - 1)
        ids, stop = await self._sample(prompt, given)
        self._caches.append([*prompt, *ids[:-1]])
        self.num_said += len(ids)
        answer = {
            "content": self.engine.codec.decode(ids),
            "tokens": ids[: len(ids) - self.forgets] if asked.get("return_tokens") else [],
            "tokens_predicted": len(ids),
            "tokens_evaluated": len(prompt),
            "stop_type": "word" if stop else "eos" if ids[-1] in self.engine.codec.end_ids else "limit",
            "stopping_word": stop,
            "generation_settings": {**given, "prompt": None},
        }
        if asked.get("n_probs"):
            answer["completion_probabilities"] = self._probabilities(prompt, ids, stop, asked["n_probs"])
        fields = asked.get("response_fields") or answer
        self.reply(writer, {key: value for key, value in answer.items() if key in fields})

    def _probabilities(self, prompt: list[int], ids: list[int], stop: str, count: int) -> list[dict[str, Any]]:
        """Of the tokens at whose end the text is whole, without as many as the stop text has tokens."""
        codec, told, text = self.engine.codec, [], b""
        model = SlotModel(codec.folder, 1)
        model.reserve(self.context)
        for at, token_id in enumerate(ids):
            text += b"" if token_id in codec.control_ids else codec.token_bytes[token_id]
            if validate_utf8(text) < len(text):
                continue
            logprobs = torch.log_softmax(model.prefill([Prefill(0, 0, prompt + ids[:at])])[-1], -1)
            best, where = logprobs.topk(count)
            top = [{"id": int(i), "logprob": float(one)} for i, one in zip(where, best, strict=True)]
            told.append({"id": token_id, "logprob": float(logprobs[token_id]), "top_logprobs": top})
        return told[: len(told) - len(codec.encode_control(stop))]

    async def _sample(self, prompt: list[int], given: dict[str, Any]) -> tuple[list[int], str]:
        codec = self.engine.codec
        banned = {int(token_id) for token_id, bias in given["logit_bias"] if bias is False}
        if given["ignore_eos"]:
            banned |= codec.end_ids
        ends = codec.token_set(f"ends{sorted(codec.end_ids)}", lambda: codec.end_ids)
        nothing = codec.token_set(f"server-banned{sorted(banned)}", lambda: banned) if banned else None
        preserved = {codec.added.get(text) for text in given.get("preserved_tokens", [])}
        row = self.engine.open(SequenceKey(given["seed"]), SamplingParams(given["temperature"], given["top_p"]))
        row.extend(prompt)
        ids: list[int] = []
        text = b""
        try:
            while len(ids) < given["n_predict"] and len(prompt) + len(ids) < self.context:
                ids += (await row.sample(SampleRequest(1, ends, nothing))).token_ids
                piece = codec.token_bytes[ids[-1]]
                text += piece if ids[-1] not in codec.control_ids or ids[-1] in preserved else b""
                for word in given["stop"]:
                    if word.encode() in text[-len(piece) - len(word.encode()) :]:
                        return ids, word
                if ids[-1] in ends:
                    break
        finally:
            row.close()
        return ids, ""


def validate_utf8(text: bytes) -> int:
    """How much of ``text`` ends with a whole character, as its function of this name says."""
    for back in range(1, min(4, len(text)) + 1):
        byte = text[-back]
        if (
            (byte & 0xE0 == 0xC0 and back < 2)
            or (byte & 0xF0 == 0xE0 and back < 3)
            or (byte & 0xF8 == 0xF0 and back < 4)
        ):
            return len(text) - back
    return len(text)


def _common(one: list[int], two: list[int]) -> int:
    """Length of the prefix that both have."""
    return next(
        (at for at, pair in enumerate(zip(one, two, strict=False)) if pair[0] != pair[1]), min(len(one), len(two))
    )
