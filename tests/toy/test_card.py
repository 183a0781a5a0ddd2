"""The card beside the shipped weights is what its numbers say."""

from __future__ import annotations

import json

from selftaught.toy import WEIGHTS_DIR
from selftaught.toy.card import render_card


def test_the_shipped_card_is_rendered_from_its_numbers() -> None:
    card = json.loads((WEIGHTS_DIR / "card.json").read_text("utf-8"))
    assert render_card(card) == (WEIGHTS_DIR / "README.md").read_text("utf-8")


def test_a_card_without_an_evaluation_has_no_such_table() -> None:
    card = json.loads((WEIGHTS_DIR / "card.json").read_text("utf-8"))
    assert "## Evaluation" not in render_card({**card, "evaluation": []})
