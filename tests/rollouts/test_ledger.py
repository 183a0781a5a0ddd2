"""The token ledger: every token has one source, what is taken back stays counted, and the engine gets each id once."""

from __future__ import annotations

from selftaught.records import SpanSource
from selftaught.rollouts.ledger import TokenLedger
from selftaught.tokens import Codec


def test_spans_follow_their_sources_and_taken_back_tokens_stay_counted(codec: Codec) -> None:
    ledger = TokenLedger(codec.encode("Q"), codec)
    sampled = codec.encode("one\ntwo")
    ledger.add_sampled(sampled[:1])
    ledger.add_sampled(sampled[1:])
    begun = ledger.unfinished_line()
    assert codec.decode(begun) == "two"
    ledger.take_back(len(begun))
    hint = codec.encode("Wait, ")
    ledger.insert(SpanSource.HINT, hint, "Wait, ")
    spans = ledger.build()
    assert [(span.source, span.text) for span in spans[1:]] == [
        (SpanSource.MODEL, "one\n"),
        (SpanSource.HINT, "Wait, "),
    ]
    assert ledger.num_tokens == len(sampled) + len(hint)


def test_pending_ids_go_to_the_engine_once(codec: Codec) -> None:
    prompt, text = codec.encode("Q"), codec.encode("out")
    ledger = TokenLedger(prompt, codec)
    ledger.insert(SpanSource.TOOL, text, "out")
    assert ledger.pending == [*prompt, *text]
    ledger.add_sampled(codec.encode("a"))
    assert ledger.pending == []


def test_a_copy_grows_alone_and_an_emptied_span_is_left_out(codec: Codec) -> None:
    ledger = TokenLedger(codec.encode("Q"), codec)
    ledger.add_sampled(codec.encode("a"))
    twin = ledger.copy()
    twin.take_back(len(twin.last.ids))
    assert len(twin.build()) == 1
    assert len(ledger.build()) == 2
