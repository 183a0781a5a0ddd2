"""Check the token ledger of all rollouts of a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from selftaught.rollouts.verify import verify_run
from selftaught.runs.found import find_rollouts
from selftaught.tokens.codec import Codec
from selftaught.tokens.folder import tokenizer_folder


@dataclass(frozen=True)
class LedgerCheck:
    """Whether the ledger of a folder holds. Its truth value says so."""

    holds: bool
    checked: int
    """Trajectories up to and with the first that does not hold."""
    files: int
    mismatch: str | None = None

    def __bool__(self) -> bool:
        return self.holds


def verify_folder(run: Path, model: str | None = None) -> LedgerCheck:
    """Decode, re-encode and re-check every trajectory at or below ``run``, up to the first mismatch.

    ``model`` names the tokenizer; by default it is the run's own. ConfigError when that is not here.
    """
    codec = Codec(tokenizer_folder(model)) if model else None
    files = [run] if run.is_file() else [found.folder.trajectories for found in find_rollouts(run)]
    checked = 0
    for file in files:
        for mismatch in verify_run(file, codec):
            checked += 1
            if mismatch is not None:
                return LedgerCheck(False, checked, len(files), str(mismatch))
    return LedgerCheck(True, checked, len(files))
