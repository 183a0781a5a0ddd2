"""SGLang's ``/generate`` by token ids: for versions whose ``/v1/completions`` gives text alone.

Fields: ``input_ids``, ``sampling_params`` (``max_new_tokens``, ``sampling_seed``, ``logit_bias``, ``stop_token_ids``,
``stream_interval``) and ``output_ids``, which grow from chunk to chunk unless the server was started with
``--incremental-streaming-output`` (``--stream-output`` in older versions); both are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from selftaught.engines.base import Score
from selftaught.engines.dialects.base import ChunkReader, Dialect, Question, Served, Site, failure, ids_of, score_of
from selftaught.engines.dialects.openai_ids import sglang_served
from selftaught.errors import EngineError


class Sglang(Dialect):
    """The dialect of SGLang servers."""

    kind: ClassVar[str] = "sglang-generate"
    stream_tokens = 1_024
    """Few: SGLang lets a request in only when there is room for much of what it asks for, and repeats all ids of a stream
    in each of its chunks."""

    @classmethod
    def knows(cls, model: dict[str, Any], site: Site, allow_text: bool) -> bool:
        """It signs its list of models."""
        return model.get("owned_by") == "sglang"

    @classmethod
    def served(cls, model: dict[str, Any], site: Site) -> Served:
        """What the model list does not say."""
        return sglang_served(super().served(model, site), site)

    @classmethod
    def tokenize(cls, name: str, text: str, site: Site) -> list[int] | None:
        """From ``/tokenize``, which older versions do not have."""
        body = {"model": name, "prompt": text, "add_special_tokens": False}
        return ids_of((site.post("/tokenize", body) or {}).get("tokens"))

    def request(self, question: Question) -> tuple[str, dict[str, Any]]:
        """Ids in, ids out. It refuses sampling parameters that it does not know, so only old ones are named."""
        sampling: dict[str, Any] = {
            "temperature": question.params.temperature,
            "top_p": question.params.top_p,
            "max_new_tokens": question.max_tokens,
            "stop_token_ids": question.stop_ids,  # not ignore_eos: it would not stop at these either, and admit fewer rows
            "skip_special_tokens": False,
            "sampling_seed": question.seed,
            "stream_interval": question.tokens_per_chunk,
        }
        if question.bias:
            sampling["logit_bias"] = question.bias
        body: dict[str, Any] = {"input_ids": question.ids, "sampling_params": sampling, "stream": True}
        if question.top_logprobs:
            body |= {"return_logprob": True, "top_logprobs_num": question.top_logprobs, "logprob_start_len": -1}
        return "/generate", body

    def reader(self, question: Question) -> ChunkReader:
        """Counts what came, since the list may repeat it."""
        return _SglangReader(question)


class _SglangReader(ChunkReader):
    """New ids of lists that repeat the old ones, or do not."""

    def __init__(self, question: Question) -> None:
        self._num_sent = len(question.ids)
        self._num_received = 0
        self._scores: list[Score] = []

    def feed(self, chunk: dict[str, Any]) -> tuple[list[int], bool]:
        about = chunk.get("meta_info") or {}
        reason = about.get("finish_reason")
        if isinstance(reason, dict) and reason.get("type") == "abort":
            message = f"the server gave a request up: {reason.get('message', 'no reason')}"
            raise failure(message, reason.get("status_code"))
        num_read = about.get("prompt_tokens", self._num_sent)
        if num_read != self._num_sent:  # --allow-auto-truncate, say
            raise EngineError(f"the server read {num_read} prompt ids; it was sent {self._num_sent}.")
        ids: list[int] = chunk.get("output_ids") or []
        # The list so far has at least as many ids as the count says; the list of new ones has fewer.
        if self._num_received and len(ids) >= about.get("completion_tokens", 0):
            ids = ids[self._num_received :]
        self._num_received += len(ids)
        self._scores = _scores(about, len(ids))
        return ids, reason is not None

    def take_scores(self) -> Sequence[Score | None]:
        return self._scores


def _scores(about: dict[str, Any], num_ids: int) -> list[Score]:
    """From lists of ``[log-probability, id, text]``, which may hold all ids of the stream so far: the last are new."""
    own, likeliest = about.get("output_token_logprobs") or [], about.get("output_top_logprobs") or []
    if not num_ids or len(own) < num_ids or len(likeliest) < num_ids:
        return []
    pairs = zip(own[-num_ids:], likeliest[-num_ids:], strict=True)
    return [score_of(one[0], (entry[0] for entry in top or [])) for one, top in pairs]
