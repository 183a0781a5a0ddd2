"""Sets in verl's nest: ``prompt`` is a list of messages, ``reward_model.ground_truth`` the answer or the tests
(DAPO-17k, Eurus-2-RL).
"""

from __future__ import annotations

import json
import re
from typing import Any

from selftaught.problems.fields import LeftOut, at_path
from selftaught.problems.presets.base import Preset, gold, name_of
from selftaught.problems.rows import Row

WRAPPERS = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"\ASolve the following math problem step by step\..*?\n\n",
        r"\s*Remember to put your answer on its own line after \"Answer:\"\.?\s*\Z",
        r"\s*Present the answer in LaTex format:\s*\\boxed\{Your answer\}\.?\s*\Z",
        r"\s*Write Python code to solve the problem\.\s*Present the code in\s*```python\s*Your code\s*```\s*at the end\..{0,200}\Z",
        r"\s*Let's think step by step and output the final answer (?:after \"####\"|within \\boxed\{\})\.?\s*\Z",
        r"\s*Please reason step by step,? and put your final answer within \\boxed\{\}\.?\s*\Z",
    )
)
"""Instructions that the sets wrap around each question. Ours says how to answer, and decontamination looks at the
question."""


def _nested(row: Row) -> Row:
    truth = at_path(row, "reward_model.ground_truth")
    problem: Row = {
        "problem": _question(row["prompt"]),
        "source": name_of(row.get("data_source")),
        "metadata": {
            name: value
            for name, value in (("ability", row.get("ability")), ("index", at_path(row, "extra_info.index")))
            if value is not None
        },
    }
    held = _held(truth)
    if isinstance(held, dict):
        if not {"inputs", "outputs"} <= held.keys():
            raise LeftOut("a ground truth that needs a checker of its own")
        if not held["inputs"]:
            raise LeftOut("no tests")
        return {**problem, "kind": "code", "tests": held}
    if row.get("ability") == "code":
        raise LeftOut("code without tests in a known shape")
    if isinstance(held, list) and len(held) != 1:
        raise LeftOut("several right answers")
    return {**problem, "answer": gold(held)}


def _held(truth: Any) -> Any:
    """Tests, and lists of answers, come as JSON text; any other text is the answer itself."""
    if isinstance(truth, str) and truth.lstrip().startswith(("{", "[")):
        try:
            held = json.loads(truth)
        except (ValueError, RecursionError):
            return truth
        # `[1, 2]` is an interval or a list that was asked for; a list of texts is a list of answers.
        is_answers = isinstance(held, list) and bool(held) and all(isinstance(item, str) for item in held)
        return held if isinstance(held, dict) or is_answers else truth
    return truth


def _question(prompt: Any) -> str:
    messages = prompt if isinstance(prompt, list) else json.loads(prompt)
    turns = [message for message in messages if isinstance(message, dict) and message.get("role") != "system"]
    if len(turns) != 1 or turns[0].get("role") != "user" or not isinstance(turns[0].get("content"), str):
        raise LeftOut("a conversation of several turns")
    text: str = turns[0]["content"]
    for wrapper in WRAPPERS:
        text = wrapper.sub("", text)
    if not text.strip():
        raise LeftOut("no question")
    return text.strip()


def _is_nested(row: Row) -> bool:
    prompt = row["prompt"]
    is_list = isinstance(prompt, list) or (isinstance(prompt, str) and prompt.lstrip().startswith("[{"))
    return is_list and isinstance(row["reward_model"], dict | str)


NESTED_PRESETS = (
    Preset(
        "verl (DAPO-Math-17k, Eurus-2-RL)",
        frozenset({"prompt", "reward_model"}),
        _nested,
        check=_is_nested,
    ),
)
