"""Other people's clients, unmodified, against ``selftaught serve --model toy``.

Each lives in an environment of its own in the folder that ``SELFTAUGHT_CLIENTS`` names; ``make test-clients`` makes them.
A client that is not there is skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

FOLDER = os.environ.get("SELFTAUGHT_CLIENTS", "")
SCRIPTS = Path(__file__).parent / "scripts"
NUM_PROBLEMS = 50
END = "<|im_end|>"
"""Of a turn, in the embedded model's words."""
QUESTION = "In how many ways can 10 of 21 people be chosen? Give the remainder by 87."
ANSWER = "The answer is \\boxed{18}."
"""Of `toy:hint`: found by code, whatever the hint was. Without code the model says 5."""


def program(name: str, file: str = "bin/python") -> Path:
    """A program of the environment of the client ``name``; skips the test where there is none."""
    found = Path(FOLDER) / name / file
    if not FOLDER or not found.exists():
        pytest.skip(f"{name} is not in {FOLDER or 'SELFTAUGHT_CLIENTS, which is not set'}; make test-clients brings it")
    return found


def run(command: list[str | Path], timeout_s: float = 300, cwd: Path | None = None, **environment: str) -> str:
    """What a client printed. Its environment has nothing of ours, and no way to a hub."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True, text=True, check=False, timeout=timeout_s, stdin=subprocess.DEVNULL, cwd=cwd,
        env={**kept, **offline, "OMP_NUM_THREADS": "1", "OPENAI_API_KEY": "none", **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def run_script(name: str, script: str, *arguments: str, **environment: str) -> Any:
    """The JSON of the last line that ``scripts/SCRIPT`` prints in the environment of ``name``."""
    return json.loads(run([program(name), SCRIPTS / script, *arguments], **environment).splitlines()[-1])


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """``http://127.0.0.1:PORT/v1`` of a server with the embedded model."""
    command = [sys.executable, "-m", "selftaught", "serve", "--model", "toy", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()
        assert process.wait(60) == 0


@dataclass(frozen=True)
class Own:
    """Our own rollouts of the same problems, greedy, with their grades."""

    problems: Path
    answers: dict[str, str]
    """Text behind the thinking, by the problem's id."""
    texts: dict[str, str]
    """All that the model was shown behind the prompt, thinking and answer."""
    regrade: Callable[[str, str], str]
    """Outcome of a problem's id and a client's answer."""
    outcomes: dict[str, str]


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory) -> Own:
    """The first 50 problems of ``toy-dev``."""
    import selftaught as st
    from selftaught.grading.grader import grade_one
    from selftaught.records import Span, SpanSource

    run_folder = tmp_path_factory.mktemp("own") / "run"
    st.rollout("toy-dev", model="toy", out=run_folder, limit=NUM_PROBLEMS, workers=0, quiet=True)
    st.grade_run(run_folder, workers=1, quiet=True)
    found = {solution.problem.id: solution for solution in st.load_trajectories(run_folder)}

    def regrade(name: str, answer: str) -> str:
        solution = found[name]
        prompt = [span for span in solution.spans if span.source is SpanSource.PROMPT]
        said = Span(source=SpanSource.MODEL, token_ids=[], text=f"</think>\n{answer}")
        return grade_one(solution.problem, solution.model_copy(update={"spans": [*prompt, said]})).outcome.value

    return Own(
        problems=run_folder / "problems.jsonl",
        answers={name: solution.answer_text.removesuffix(END) for name, solution in found.items()},
        texts={name: solution.text.removesuffix(END) for name, solution in found.items()},
        regrade=regrade,
        outcomes={name: solution.grade.outcome.value for name, solution in found.items() if solution.grade},
    )
