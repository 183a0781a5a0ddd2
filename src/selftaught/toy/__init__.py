"""The embedded reasoner: a tiny Qwen2 model with its problem generator, pretraining text and weights.

It stands for a real reasoner wherever a GPU would be too much: in the demo, in tests, in the docs.
"""

from __future__ import annotations

from pathlib import Path

from selftaught.errors import MissingPartError
from selftaught.manner import Manner

MANNER = Manner(question="plain", knows="toy")
"""It has read bare questions only: with a request for ``\\boxed{}`` behind them, it answers worse."""

WEIGHTS_DIR = Path(__file__).parent / "weights"


def model_path() -> Path:
    """Folder of the shipped model, in Hugging Face layout. Raises MissingPartError when it was not installed."""
    if not (WEIGHTS_DIR / "config.json").exists():
        raise MissingPartError(
            f"the embedded model is not in {WEIGHTS_DIR}; expected config.json there. Reinstall selftaught, or run `selftaught toy pretrain`."
        )
    return WEIGHTS_DIR
