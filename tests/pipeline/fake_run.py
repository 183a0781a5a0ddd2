"""Runs the demo recipe with made-up stages: each appends records that follow from its inputs, slowly, and resumes by number.

Called as a script by the kill test: ``fake_run.py RUN``. No model, no sandbox; the scheduler, markers, locks and progress are real.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path

from selftaught.progress import Progress, Reporter
from selftaught.runs import RunFolder

NUM_RECORDS = 8


def fake_perform(folder: RunFolder, stage: object, workers: int, progress: Reporter) -> object:
    """Append ``NUM_RECORDS`` records to ``RUN/NAME/records.jsonl``, each with a hash over the inputs."""
    from selftaught.pipeline.markers import StageResult
    from selftaught.pipeline.stages import StageBase
    from selftaught.store import JsonlWriter, iter_lines

    assert isinstance(stage, StageBase)
    run = folder.path
    inputs = b"".join((run / need / "records.jsonl").read_bytes() for need in stage.need_names)
    seed = hashlib.sha256(inputs + stage.name.encode()).hexdigest()
    path = run / stage.name / "records.jsonl"
    with JsonlWriter(path) as writer:
        start = sum(1 for _ in iter_lines(path))
        for number in range(start, NUM_RECORDS):
            writer.write_line(
                json.dumps({"number": number, "value": hashlib.sha256(f"{seed}{number}".encode()).hexdigest()})
            )
            progress(Progress("fake", number + 1, NUM_RECORDS))
            time.sleep(0.004)
    return StageResult(tokens=NUM_RECORDS, detail="made up", outputs=[f"{stage.name}/records.jsonl"])


def patched_recipe() -> object:
    """The demo recipe, with a folder as base model that needs no weights."""
    from selftaught.pipeline import perform, runfile
    from selftaught.pipeline.load import load_recipe

    perform.perform = fake_perform  # type: ignore[assignment]
    runfile._sandbox_tier = lambda: "none"
    runfile._model_hash = lambda model: "made-up"
    return load_recipe("demo")


def main(run: Path) -> None:
    from selftaught.pipeline.execute import execute

    execute(patched_recipe(), run, start_method="fork", num_cores=2, quiet=True)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
