"""The pretraining text: what the embedded base reasoner has read.

It must make a reasoner that thinks by hand, slips, and *could* use Python, but never does by itself. So the ability is
there in other shapes only: `chat` (by hand, no code), `worksheet` (other tags, with cells), `pasted` (the user brings a
run) and `drill` (copying, small arithmetic, tags). A `detour` makes any of them long, and the `mixture` draws them.

None of the hint sentences stands anywhere (`toy.scan` checks the text), and every question comes from the pretraining
split. The shipped weights were trained on exactly this text, so a change of one character needs a new training;
`tests/toy/test_corpus.py` holds its hash.
"""

from __future__ import annotations

from selftaught.toy.corpus.mixture import MIXTURE, document, documents

__all__ = ["MIXTURE", "document", "documents"]
