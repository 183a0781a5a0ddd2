"""What serves at a URL is asked once: its tokenizer is compared with the client's, what gives text alone is said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from selftaught.engines import load_engine
from selftaught.engines.http import HttpEngine
from selftaught.engines.servers import disagreement, probe_text
from selftaught.errors import EngineError
from selftaught.tokens import Codec

from .loopback import Loopback, Thread
from .small_llamacpp import SmallLlamaCpp
from .small_server import SmallServer
from .test_http import local


def swapped(folder: Path, place: Path, one: str, two: str) -> Path:
    """A copy of a model folder in whose vocabulary two tokens have each other's ids."""
    shutil.copytree(folder, place)
    spec = json.loads((place / "tokenizer.json").read_text())
    vocab = spec["model"]["vocab"]
    vocab[one], vocab[two] = vocab[two], vocab[one]
    for token in spec["added_tokens"]:
        token["id"] = vocab.get(token["content"], token["id"])
    (place / "tokenizer.json").write_text(json.dumps(spec))
    return place


def servers(folder: Path) -> list[Loopback]:
    """One of each kind that tells its ids, by a page or by an echo."""
    model = local(folder)
    silent = SmallServer(model, "tiny")
    silent.tokenizes = False
    return [
        SmallLlamaCpp(model, "tiny"),
        SmallServer(model, "tiny"),
        SmallServer(model, "tiny", kind="sglang"),
        SmallServer(model, "tiny", kind="sglang-generate"),
        silent,
    ]


def test_another_tokenizer_is_refused(tmp_path: Path, model_folder: Path) -> None:
    other = swapped(model_folder, tmp_path / "other", "a", "b")
    for server in servers(model_folder):
        thread = Thread(server)
        with pytest.raises(
            EngineError, match="does not use the tokenizer in .*other: it reads '.*' as .*--tokenizer"
        ) as caught:
            load_engine(server.url, tokenizer=str(other))
        assert "\n" not in str(caught.value)
        assert isinstance(load_engine(server.url, tokenizer=str(model_folder)), HttpEngine)
        thread.stop()


def test_a_control_token_must_be_one_on_both_sides(tmp_path: Path, model_folder: Path) -> None:
    without = tmp_path / "without"
    shutil.copytree(model_folder, without)
    spec = json.loads((without / "tokenizer.json").read_text())
    spec["added_tokens"] = [one for one in spec["added_tokens"] if one["content"] != "</think>"]
    (without / "tokenizer.json").write_text(json.dumps(spec))
    thread = Thread(SmallLlamaCpp(local(model_folder), "tiny"))
    with pytest.raises(EngineError, match="does not use the tokenizer in .*without"):
        load_engine(thread.server.url, tokenizer=str(without))  # the server's model has one, ours has not
    thread.stop()


def test_a_server_that_tells_no_ids_is_taken_as_it_is(tmp_path: Path, model_folder: Path) -> None:
    server = SmallServer(local(model_folder), "tiny", kind="sglang-generate")
    server.tokenizes = False
    thread = Thread(server)
    load_engine(server.url, tokenizer=str(swapped(model_folder, tmp_path / "other", "a", "b")))
    thread.stop()


def test_words_may_be_cut_in_another_way_but_ids_must_mean_the_same(tmp_path: Path, model_folder: Path) -> None:
    codec = Codec(model_folder)
    probe = probe_text(codec)
    ours = codec.encode_control(probe)
    letters = [
        one for text in ("The", " sum") for one in map(codec.token_bytes.index, (bytes([b]) for b in text.encode()))
    ]
    assert probe.startswith("The sum") and codec.decode(letters) == "The sum"
    rest = codec.encode_control(probe.removeprefix("The sum"))
    assert [*letters, *rest] != ours or codec.encode_control("The sum") == letters
    assert disagreement(codec, probe, [*letters, *rest]) is None
    assert disagreement(codec, probe, ours) is None
    close = codec.added["</think>"]
    spelled = [one for token_id in ours for one in ([*codec.encode("</think>")] if token_id == close else [token_id])]
    assert "</think>" in (disagreement(codec, probe, spelled) or "")
    assert disagreement(codec, probe, ours[:-1]) and disagreement(codec, probe, [codec.vocab_size + 5, *ours[1:]])


def test_replicas_must_be_of_one_kind(model_folder: Path) -> None:
    model = local(model_folder)
    one, two = (Thread(server) for server in (SmallServer(model, str(model_folder)), SmallLlamaCpp(model, "tiny")))
    with pytest.raises(
        EngineError, match=r"serves tiny \(llamacpp\), .* serves tiny \(vllm\); expected one model and one kind"
    ):
        load_engine(f"{one.server.url},{two.server.url}", tokenizer=str(model_folder))
    one.stop()
    two.stop()


def test_slots_of_replicas_add_up(model_folder: Path) -> None:
    model = local(model_folder)
    threads = [
        Thread(SmallLlamaCpp(model, "tiny", slots=slots, context=context)) for slots, context in ((2, 90), (3, 80))
    ]
    engine = load_engine(",".join(thread.server.url for thread in threads), tokenizer=str(model_folder))
    assert (engine.max_rows, engine.max_context) == (4, 80)  # the smaller number at each, the shorter context
    for thread in threads:
        thread.stop()


@pytest.mark.parametrize(
    ("environment", "sent"),
    [
        ({"SELFTAUGHT_MODEL_API_KEY": "for-models", "SELFTAUGHT_API_KEY": "for-all"}, "Bearer for-models"),
        ({"SELFTAUGHT_API_KEY": "for-all"}, "Bearer for-all"),
        ({}, None),
    ],
)
def test_which_key_a_model_server_gets(
    environment: dict[str, str], sent: str | None, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SELFTAUGHT_MODEL_API_KEY", "SELFTAUGHT_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    thread = Thread(SmallServer(local(model_folder), str(model_folder)))
    load_engine(thread.server.url)
    assert thread.server.keys == {sent}
    thread.stop()


@pytest.mark.parametrize(("key", "words"), [("wrong", "refuses the key that was sent"), ("", "wants a key")])
def test_a_server_that_wants_another_key(
    key: str, words: str, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SELFTAUGHT_API_KEY", raising=False)
    monkeypatch.setenv("SELFTAUGHT_MODEL_API_KEY", key)
    thread = Thread(SmallServer(local(model_folder), str(model_folder)))
    thread.server.key = "right"
    with pytest.raises(EngineError, match=f"answers 401: it {words}; set SELFTAUGHT_MODEL_API_KEY") as caught:
        load_engine(thread.server.url)
    assert "\n" not in str(caught.value)
    thread.stop()
