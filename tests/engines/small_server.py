"""A small real HTTP server that speaks enough of vLLM's and SGLang's completions, with the local engine behind it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from selftaught.engines import SampleRequest, SamplingParams, Scoring, SequenceKey
from selftaught.engines.local import LocalEngine

from .loopback import Loopback


class SmallServer(Loopback):
    """``kind`` is what it speaks.

    ``vllm`` and ``sglang``: ``/v1/completions`` by ids. ``sglang-generate``: an older SGLang, whose completions give no
    ids and whose ``/generate`` repeats all ids so far (the list may be ahead of its count); ``sglang-generate-incremental``
    gives new ids only. ``openai``: text in, text out, cut anywhere; an end token ends it unseen. As SGLang does, its kinds
    refuse a prompt within ``RESERVE`` ids of the model's context. ``info`` is their ``/server_info``; None: no such page.
    ``tokenizes`` switches ``/tokenize``; without it a prompt sent as text is echoed by ids.
    """

    RESERVE = 6

    def __init__(self, engine: LocalEngine, root: str, chunk: int = 3, kind: str = "vllm") -> None:
        super().__init__(engine)
        self.root, self.chunk, self.kind = root, chunk, kind
        self.tokenizes = True
        self.gives_scores = True
        signed = kind.split("-")[0]
        model = {"id": "tiny", "root": root, "owned_by": signed, "max_model_len": engine.max_context}
        self.pages["/v1/models"] = {"data": [model]}

    @property
    def info(self) -> dict[str, Any] | None:
        return self.pages.get("/server_info")

    @info.setter
    def info(self, value: dict[str, Any] | None) -> None:
        self.pages.pop("/server_info", None)
        if value is not None:
            self.pages["/server_info"] = value

    async def post(self, path: str, asked: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        if path == "/tokenize" and self.tokenizes and self.kind != "openai":
            self.reply(writer, {"tokens": self.engine.codec.encode_control(asked["prompt"])})
        elif path == "/generate" and self.kind.startswith("sglang-generate"):
            await self._continue(asked["input_ids"], asked["sampling_params"], "max_new_tokens", writer)
        elif path == "/v1/completions" and self.kind == "openai":
            await self._text(asked, writer)
        elif path == "/v1/completions" and not asked.get("stream"):
            self._short(asked, writer)
        elif path == "/v1/completions" and self.kind in ("vllm", "sglang"):
            await self._continue(asked["prompt"], asked, "max_tokens", writer)
        else:
            self.reply(writer, {"detail": "Not Found"}, 404)

    def _short(self, asked: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        """One token, at once; which one does not matter to anybody who asks so."""
        choice: dict[str, Any] = {"text": "?", "finish_reason": "length"}
        if self.kind in ("vllm", "sglang"):
            choice |= {"token_ids": [7], "prompt_token_ids": self.engine.codec.encode_control(asked["prompt"])}
        self.reply(writer, {"choices": [choice]})

    async def _continue(
        self, prompt: list[int], sampling: dict[str, Any], limit: str, writer: asyncio.StreamWriter
    ) -> None:
        self.num_requests += 1
        self.prompts.append(prompt)
        left = sampling[limit]
        if self.kind.startswith("sglang") and (refusal := self._refusal(len(prompt), left)):
            self._refuse(refusal, writer)
            return
        self.begin(writer)
        sglang = self.kind.startswith("sglang")
        ends = frozenset() if sglang and sampling.get("ignore_eos") else frozenset(sampling["stop_token_ids"])
        watch = self.engine.codec.token_set(f"ends{sorted(ends)}", lambda: ends)
        banned = None
        if sampling.get("logit_bias"):
            ids = [int(token_id) for token_id in sampling["logit_bias"]]
            banned = self.engine.codec.token_set(f"banned{len(ids)}", lambda: ids)
        row = self.engine.open(
            SequenceKey(sampling.get("seed") or 0), SamplingParams(sampling["temperature"], sampling["top_p"])
        )
        row.extend(prompt)
        said: list[int] = []
        self.num_streams += 1
        self.most_streams = max(self.most_streams, self.num_streams)
        try:
            while left > 0:
                scoring = Scoring.ALL if sampling.get("logprobs") and self.gives_scores else Scoring.NONE
                sampled = await row.sample(SampleRequest(min(self.chunk, left), watch, banned, scoring=scoring))
                if not sampled.token_ids:
                    break
                left -= len(sampled.token_ids)
                said += sampled.token_ids
                self.num_said += len(sampled.token_ids)
                finish = "stop" if sampled.token_ids[-1] in ends else "length" if left == 0 else None
                chunk = self._chunk(prompt, said, sampled.token_ids, finish)
                if sampled.scores is not None:
                    own = [score.logprob for score in sampled.scores]
                    top = [{f"token_id:{one}": value} for one, value in zip(sampled.token_ids, own, strict=True)]
                    chunk["choices"][0]["logprobs"] = {"token_logprobs": own, "top_logprobs": top}
                self.piece(writer, f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode())
                await writer.drain()
                if writer.transport.is_closing():
                    return
                if finish == "stop":
                    break
            self.piece(writer, b"data: [DONE]\n\n")
            self.piece(writer, b"")
        finally:
            self.num_streams -= 1
            row.close()

    def _chunk(self, prompt: list[int], said: list[int], new: list[int], finish: str | None) -> dict[str, Any]:
        if not self.kind.startswith("sglang-generate"):
            choice = {"index": 0, "text": "?\u2028\x85", "token_ids": new, "finish_reason": finish}
            if len(said) == len(new):
                choice["prompt_token_ids"] = prompt
            return {"choices": [choice]}
        about: dict[str, Any] = {"prompt_tokens": len(prompt), "finish_reason": {"type": finish} if finish else None}
        if self.kind.endswith("incremental"):
            return {"output_ids": new, "meta_info": {**about, "completion_tokens": len(said)}}
        # the count was taken before the list grew
        return {"output_ids": said, "meta_info": {**about, "completion_tokens": len(said) - (len(said) > 3)}}

    def _refusal(self, num_prompt: int, num_new: int) -> dict[str, Any] | None:
        """SGLang's two ways to refuse what is too long."""
        context = self.engine.max_context
        if num_prompt + num_new > context or num_prompt >= context:
            return {"error": {"message": "maximum context length", "type": "invalid_request_error", "code": 400}}
        if num_prompt >= context - self.RESERVE:
            reason = {"type": "abort", "message": "exceeds the maximum allowed length", "status_code": 400}
            return {"output_ids": [0], "meta_info": {"finish_reason": reason, "completion_tokens": 1}}
        return None

    def _refuse(self, refusal: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        """``/generate`` refuses inside a stream with status 200, the completions before it begins."""
        if self.kind == "sglang":
            about = refusal.get("meta_info", {}).get("finish_reason") or {}
            error = refusal.get("error") or {"message": about["message"], "code": about["status_code"]}
            self.reply(writer, {"object": "error", **error}, 400)
            return
        self.begin(writer)
        self.piece(writer, f"data: {json.dumps(refusal)}\n\n".encode())
        self.piece(writer, b"data: [DONE]\n\n")
        self.piece(writer, b"")

    async def _text(self, asked: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        """Greedy text of a text prompt, in pieces of five characters, without what ends it."""
        codec = self.engine.codec
        prompt = codec.encode_control(asked["prompt"])
        self.num_requests += 1
        self.prompts.append(prompt)
        row = self.engine.open(SequenceKey(), SamplingParams())
        row.extend(prompt)
        ends = codec.token_set(f"ends{sorted(codec.end_ids)}", lambda: codec.end_ids)
        ids = (await row.sample(SampleRequest(asked["max_tokens"], ends))).token_ids
        row.close()
        stopped = ids[-1] in codec.end_ids
        text = codec.decode(ids[:-1] if stopped else ids)
        pieces = [text[at : at + 5] for at in range(0, len(text), 5)]
        chunks: list[dict[str, Any]] = [{"text": piece, "finish_reason": None} for piece in pieces]
        chunks.append({"text": "", "finish_reason": "stop" if stopped else "length"})
        data = "".join(f"data: {json.dumps({'choices': [chunk]})}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: {len(data.encode())}\r\n\r\n{data}".encode())
        await writer.drain()
