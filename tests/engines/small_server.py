"""A small real HTTP server that speaks enough of vLLM's completions API, with the local engine behind it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from selftaught.engines import SampleRequest, SamplingParams, SequenceKey
from selftaught.engines.local import LocalEngine


class SmallServer:
    """Serves on a loopback port inside the running loop. ``refuse`` makes the next requests fail with 503.

    ``kind`` is what it speaks: ``vllm``, ``sglang`` (the list of ids grows, and may be ahead of its count),
    ``sglang-incremental`` (new ids only) or ``openai`` (text in, text out, cut anywhere; an end token ends it unseen).
    As SGLang does, the two refuse a prompt within ``RESERVE`` ids of the model's context, inside a stream with status 200.
    ``info`` is what their ``/server_info`` adds; None: there is no such page.
    """

    RESERVE = 6

    def __init__(self, engine: LocalEngine, root: str, piece: int = 3, kind: str = "vllm") -> None:
        self.engine, self.root, self.piece, self.kind = engine, root, piece, kind
        self.port = 0
        self.info: dict[str, Any] | None = None
        self.num_requests = 0
        self.num_connections = 0
        self.num_said = 0
        """Tokens sampled for completions."""
        self.num_streams = self.most_streams = 0
        self.refuse = 0
        self.prompts: list[list[int]] = []
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """As a kill: open streams are cut in the middle."""
        assert self._server is not None
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        self.num_connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                method, path, _ = lines[0].split(" ")
                headers = {
                    name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:] if ": " in line)
                }
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                await self._answer(method, path, body, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, method: str, path: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        if path == "/v1/models":
            data = json.dumps(
                {
                    "data": [
                        {
                            "id": "tiny",
                            "root": self.root,
                            "owned_by": self.kind.removesuffix("-incremental"),
                            "max_model_len": self.engine.max_context,
                        }
                    ]
                }
            )
            writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: {len(data)}\r\n\r\n{data}".encode())
            return
        if path == "/server_info":
            data = json.dumps(self.info or {})
            status = "200 OK" if self.info else "404 Not Found"
            writer.write(f"HTTP/1.1 {status}\r\ncontent-length: {len(data)}\r\n\r\n{data}".encode())
            return
        if path == "/get_server_info":
            writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
            return
        self.num_requests += 1
        if self.refuse:
            self.refuse -= 1
            writer.write(b"HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy")
            return
        asked = json.loads(body)
        sglang = path == "/generate"
        if self.kind == "openai":
            await self._text(asked, writer)
            return
        prompt = asked["input_ids"] if sglang else asked["prompt"]
        sampling = asked["sampling_params"] if sglang else asked
        left = sampling["max_new_tokens"] if sglang else sampling["max_tokens"]
        self.prompts.append(prompt)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        if sglang and (refusal := self._refusal(len(prompt), left)):
            data = f"data: {json.dumps(refusal)}\n\n".encode()
            writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
            return
        ends = frozenset() if sglang and sampling.get("ignore_eos") else frozenset(sampling["stop_token_ids"])
        watch = self.engine.codec.token_set(f"ends{sorted(ends)}", lambda: ends)
        banned = None
        if sampling.get("logit_bias"):
            ids = [int(token_id) for token_id in sampling["logit_bias"]]
            banned = self.engine.codec.token_set(f"banned{len(ids)}", lambda: ids)
        row = self.engine.open(
            SequenceKey(sampling.get("seed", 0)), SamplingParams(sampling["temperature"], sampling["top_p"])
        )
        row.extend(prompt)
        said: list[int] = []
        self.num_streams += 1
        self.most_streams = max(self.most_streams, self.num_streams)
        try:
            while left > 0:
                sampled = await row.sample(SampleRequest(min(self.piece, left), watch, banned))
                if not sampled.token_ids:
                    break
                left -= len(sampled.token_ids)
                said += sampled.token_ids
                self.num_said += len(sampled.token_ids)
                finish = "stop" if sampled.token_ids[-1] in ends else "length" if left == 0 else None
                chunk: dict[str, Any] = {
                    "choices": [
                        {"index": 0, "text": "?\u2028\x85", "token_ids": sampled.token_ids, "finish_reason": finish}
                    ]
                }
                if self.kind == "sglang-incremental":
                    chunk = {"output_ids": sampled.token_ids, "meta_info": {"completion_tokens": len(said)}}
                elif sglang:  # the count was taken before the list grew
                    chunk = {"output_ids": said, "meta_info": {"completion_tokens": len(said) - (len(said) > 3)}}
                elif len(said) == len(sampled.token_ids):
                    chunk["choices"][0]["prompt_token_ids"] = prompt
                if sglang:
                    reason = {"type": finish} if finish else None
                    chunk["meta_info"] |= {"prompt_tokens": len(prompt), "finish_reason": reason}
                data = f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode()
                writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
                await writer.drain()
                if writer.transport.is_closing():
                    return
                if finish == "stop":
                    break
            writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
        finally:
            self.num_streams -= 1
            row.close()

    def _refusal(self, num_prompt: int, num_new: int) -> dict[str, Any] | None:
        """SGLang's two ways to refuse what is too long."""
        context = self.engine.max_context
        if num_prompt + num_new > context or num_prompt >= context:
            return {"error": {"message": "maximum context length", "type": "invalid_request_error", "code": 400}}
        if num_prompt >= context - self.RESERVE:
            reason = {"type": "abort", "message": "exceeds the maximum allowed length", "status_code": 400}
            return {"output_ids": [0], "meta_info": {"finish_reason": reason, "completion_tokens": 1}}
        return None

    async def _text(self, asked: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        """Greedy text of a text prompt, in pieces of five characters, without what ends it."""
        codec = self.engine.codec
        prompt = codec.encode_control(asked["prompt"])
        self.prompts.append(prompt)
        row = self.engine.open(SequenceKey(), SamplingParams())
        row.extend(prompt)
        ends = codec.token_set("server-ends", lambda: codec.end_ids)
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
