"""What is sent to servers, and what their chunks say, without a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from selftaught.engines import SamplingParams
from selftaught.engines.dialects import DIALECTS, Broken, Dialect, Form, Question, Setting, dialect_of
from selftaught.engines.dialects.desktop import LmStudio, Ollama
from selftaught.engines.dialects.llamacpp import LlamaCpp
from selftaught.engines.dialects.openai_ids import OpenAiIds, SglangIds
from selftaught.engines.dialects.sglang import Sglang
from selftaught.engines.dialects.text import OpenAiText, TextReader
from selftaught.errors import EngineError
from selftaught.tokens import Codec


@pytest.fixture(scope="module")
def codec(model_folder: Path) -> Codec:
    return Codec(model_folder)


def question(*ids: int, **changes: object) -> Question:
    fields = {"ids": list(ids), "params": SamplingParams(0.6, 0.95), "max_tokens": 9, "stop_ids": [2], "seed": 5}
    return Question(**{**fields, "bias": {}, **changes})  # type: ignore[arg-type]


def speaking(dialect: type[Dialect], codec: Codec, allow_text: bool = False) -> Dialect:
    return dialect(Setting("tiny", codec, 16, allow_text))


class Pages:
    """A server that has these pages only."""

    def __init__(self, **pages: dict[str, object]) -> None:
        self.pages = {f"/{name.replace('__', '/')}": page for name, page in pages.items()}

    def get(self, path: str) -> dict[str, object] | None:
        return self.pages.get(path.split("?")[0])

    def post(self, path: str, body: dict[str, object]) -> dict[str, object] | None:
        return self.pages.get(path)


def test_who_speaks_what() -> None:
    def found(signed: str | None, allow_text: bool = False, **pages: dict[str, object]) -> type[Dialect]:
        return dialect_of({"id": "m", "owned_by": signed}, Pages(**pages), allow_text)

    assert found("sglang", allow_text=True) is Sglang
    assert found("sglang", v1__completions={"choices": [{"text": "a"}]}) is Sglang
    assert found("sglang", v1__completions={"choices": [{"text": "a", "token_ids": [7]}]}) is SglangIds
    assert found("vllm", allow_text=True, props={"total_slots": 4}) is OpenAiIds
    assert found("me", allow_text=True) is OpenAiText
    assert found(None) is OpenAiIds
    assert found("llamacpp", allow_text=True) is LlamaCpp
    assert found("a-proxy", props={"total_slots": 4}) is LlamaCpp
    assert found("library", api__version={"version": "0.30"}) is Ollama
    assert found("organization_owner", api__v0__models={"data": [{"id": "m", "max_context_length": 9}]}) is LmStudio
    assert found("organization_owner", api__v0__models={"error": "Unexpected endpoint"}) is OpenAiIds
    assert len({dialect.kind for dialect in DIALECTS}) == len(DIALECTS)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_sends_prompt_limit_and_seed(dialect: type[Dialect], codec: Codec) -> None:
    path, body = speaking(dialect, codec, True).request(question(*codec.encode("Hi")))
    flat = {**body, **body.get("sampling_params", {}), **body.get("options", {})}
    assert path.startswith("/") and flat["stream"] is (dialect.form is not Form.WHOLE)
    assert {9, 5, 0.6, 0.95} <= {value for value in flat.values() if isinstance(value, int | float)}
    assert codec.encode("Hi") in flat.values() or "Hi" in flat.values()


def test_vllm_is_told_every_sampling_setting(codec: Codec) -> None:
    _, body = speaking(OpenAiIds, codec).request(question(1, 2, bias={"7": -100}))
    assert (body["top_k"], body["min_p"], body["repetition_penalty"]) == (-1, 0.0, 1.0)
    assert body["logit_bias"] == {"7": -100} and body["stop_token_ids"] == [2]


def test_a_chunk_without_ids_is_refused(codec: Codec) -> None:
    chunk = {"choices": [{"text": "hello"}]}
    with pytest.raises(EngineError, match="text without token ids"):
        speaking(OpenAiIds, codec).reader(question(1)).feed(chunk)
    with pytest.raises(EngineError, match="other prompt ids"):
        echo = {"choices": [{"prompt_token_ids": [2], "token_ids": [3]}]}
        speaking(OpenAiIds, codec).reader(question(1)).feed(echo)
    allowed = speaking(OpenAiIds, codec, allow_text=True)
    ids, is_last = allowed.reader(question(1)).feed(chunk)
    assert codec.decode(ids) == "hello" and not is_last and allowed.text_only


def test_a_last_chunk_says_so(codec: Codec) -> None:
    reader = speaking(OpenAiIds, codec).reader(question(1))
    assert reader.feed({"choices": [{"prompt_token_ids": [1], "token_ids": [3], "finish_reason": None}]}) == (
        [3],
        False,
    )
    assert reader.feed({"choices": [{"token_ids": [4], "finish_reason": "stop"}]}) == ([4], True)
    assert reader.feed({"choices": []}) == ([], False)


def test_text_keeps_control_tokens_whole_and_gives_the_end_back(codec: Codec) -> None:
    reader = TextReader(codec)
    ids = [token_id for piece in ["so </th", "ink", ">\nthe", " <b", " end<|im_"] for token_id in reader.take(piece)]
    assert codec.decode(ids) == "so </think>\nthe <b end"
    assert ids.count(codec.added["</think>"]) == 1
    last = reader.stopped()
    assert codec.decode(last[:-1]) == "<|im_" and last[-1] == codec.added["<|im_end|>"] and last[-1] in codec.end_ids


def test_sglang_lists_grow_or_do_not(codec: Codec) -> None:
    growing, new_only = (speaking(Sglang, codec).reader(question(1)) for _ in range(2))
    for ids in ([5, 6], [5, 6, 7], [5, 6, 7, 8]):
        growing.feed({"output_ids": ids, "meta_info": {"completion_tokens": len(ids)}})
    assert growing.feed({"output_ids": [5, 6, 7, 8, 9], "meta_info": {"completion_tokens": 5}}) == ([9], False)
    new_only.feed({"output_ids": [5, 6], "meta_info": {"completion_tokens": 2}})
    last = {"output_ids": [7], "meta_info": {"completion_tokens": 3, "finish_reason": {"type": "stop"}}}
    assert new_only.feed(last) == ([7], True)


def test_an_aborted_request_is_tried_again_unless_it_was_refused(codec: Codec) -> None:
    reason = {"type": "abort", "message": "full"}
    with pytest.raises(Broken, match="gave a request up: full"):
        speaking(Sglang, codec).reader(question(1)).feed({"output_ids": [5], "meta_info": {"finish_reason": reason}})
    with pytest.raises(EngineError, match="gave a request up: full"):
        chunk = {"meta_info": {"finish_reason": {**reason, "status_code": 400}}}
        speaking(Sglang, codec).reader(question(1)).feed(chunk)


def test_a_prompt_that_sglang_cuts_is_refused(codec: Codec) -> None:
    chunk = {"output_ids": [5], "meta_info": {"completion_tokens": 1, "prompt_tokens": 2}}
    assert speaking(Sglang, codec).reader(question(1, 2)).feed(chunk) == ([5], False)
    with pytest.raises(EngineError, match="read 2 prompt ids; it was sent 3"):
        speaking(Sglang, codec).reader(question(1, 2, 3)).feed(chunk)


def test_what_sglang_serves() -> None:
    pages = Pages(get_server_info={"tokenizer_path": "folder", "max_req_input_len": 90})
    for dialect in (Sglang, SglangIds):
        served = dialect.served({"id": "tiny", "max_model_len": 100}, pages)
        assert (served.name, served.root, served.max_context) == ("tiny", "folder", 90)
        plain = dialect.served({"id": "tiny", "root": "there", "max_model_len": 100}, Pages())
        assert (plain.root, plain.max_context) == ("there", 94)


def test_what_llamacpp_serves() -> None:
    props = {"default_generation_settings": {"n_ctx": 4096}, "total_slots": 8, "model_path": "/m/x.gguf"}
    served = LlamaCpp.served({"id": "x"}, Pages(props=props))
    assert (served.name, served.root, served.max_context, served.slots) == ("x", "/m/x.gguf", 4096, 8)
    with pytest.raises(EngineError, match="does not tell its context size"):
        LlamaCpp.served({"id": "x"}, Pages())


def test_llamacpp_ids_are_counted(codec: Codec) -> None:
    reader = speaking(LlamaCpp, codec).reader(question(1, 2))
    whole = {"tokens": [5, 6], "tokens_predicted": 2, "tokens_evaluated": 2}
    assert reader.feed(whole) == ([5, 6], True)
    with pytest.raises(EngineError, match="sends 2 ids for 3 tokens"):
        reader.feed({**whole, "tokens_predicted": 3})
    with pytest.raises(EngineError, match="sends no ids for 2 tokens"):
        reader.feed({"content": "so", "tokens_predicted": 2})
    with pytest.raises(EngineError, match="read 3 prompt ids; it was sent 2"):
        reader.feed({**whole, "tokens_evaluated": 3})


def test_ollama_that_takes_thinking_apart_is_refused(codec: Codec) -> None:
    with pytest.raises(EngineError, match="takes the thinking apart"):
        speaking(Ollama, codec, True).reader(question(1)).feed({"thinking": "so", "response": ""})


def test_llamacpp_leaves_out_what_ends_inside_a_character(codec: Codec) -> None:
    byte = {one: codec.token_bytes.index(bytes([one])) for one in (0xE2, 0x82, 0x41)}
    ids = [byte[0x41], byte[0xE2], byte[0x82], byte[0x82], byte[0x41]]
    told = [
        {"id": one, "logprob": -float(at), "top_logprobs": []} for at, one in enumerate([ids[0], ids[3], ids[4]], 1)
    ]
    reader = speaking(LlamaCpp, codec).reader(question(1))
    whole = {"tokens": ids, "tokens_predicted": 5}
    reader.feed({**whole, "completion_probabilities": told})
    assert [score and score.logprob for score in reader.take_scores()] == [-1, None, None, -2, -3]
    reader.feed({**whole, "completion_probabilities": told[1:]})  # not what was sampled
    assert list(reader.take_scores()) == []
    reader.feed(whole)
    assert list(reader.take_scores()) == []
