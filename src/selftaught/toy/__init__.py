"""The embedded reasoner: a tiny Qwen2 model with its problem generator, pretraining text and weights.

It stands for a real reasoner wherever a GPU would be too much: in the demo, in tests, in the docs.
"""

from __future__ import annotations

from pathlib import Path

from selftaught.manner import Manner
from selftaught.tokens.folder import EMBEDDED_FOLDER as WEIGHTS_DIR
from selftaught.tokens.folder import embedded_folder

MANNER = Manner(question="plain", knows="toy")
"""It has read bare questions only: with a request for ``\\boxed{}`` behind them, it answers worse."""

__all__ = ["WEIGHTS_DIR", "model_path"]


def model_path() -> Path:
    """Folder of the shipped model, in Hugging Face layout. Raises MissingPartError when it was not installed."""
    return embedded_folder()
