"""The user message for a problem: question, options or starter code, and how to give the answer.

How a model wants to be asked stands in its manner (`selftaught.manner`): with a request for the answer's form, or
plainly. What the problem's own text says already (its options, its samples) is not said again. A problem whose
``metadata["rendered"]`` is true is asked in its own words alone. The chat template is applied by the engine's
tokenizer.
"""

from __future__ import annotations

import json
import re

from selftaught.manner import Manner
from selftaught.problems.formats import LETTERS
from selftaught.problems.starter import defined_function
from selftaught.records import Problem, ProblemKind, TestCase

MATH_REQUEST = "Please reason step by step, and put your final answer within \\boxed{}."
CHOICE_REQUEST = "Please reason step by step, and put the letter of your choice within \\boxed{}."
STDIN_REQUEST = (
    "Write a Python program that reads its input from standard input and prints its output to standard output. "
    "End with the whole program in one ```python block."
)
FUNCTION_REQUEST = (
    "Use this starter code, and end with the whole program in one ```python block:\n```python\n{starter}\n```"
)
NAMED_FUNCTION_REQUEST = "Write a Python function named {name}. End with the whole program in one ```python block."
COMPLETION_REQUEST = "Complete this Python function, and end with the whole function in one ```python block:"

CHAT = "chat"
"""Key of a problem's metadata: all messages (``role``, ``content``) of the chat that it was recorded from."""
_DEFAULT = Manner()


def render_question(problem: Problem, manner: Manner = _DEFAULT) -> str:
    """Text of the user message, as a model of this manner is asked."""
    if problem.metadata.get("rendered"):
        return problem.problem
    if manner.question == "plain":
        return _plain(problem)
    if problem.kind is ProblemKind.CHOICE:
        return f"{problem.problem.rstrip()}\n\n{render_choices(problem)}{CHOICE_REQUEST}"
    if problem.kind is ProblemKind.CODE:
        return _render_code(problem)
    return f"{problem.problem.rstrip()}\n\n{MATH_REQUEST}"


def messages_of(problem: Problem, question: str, system: str | None = None) -> list[dict[str, str]]:
    """The chat that the model is asked with: a system message if there is one, and ``question``, the rendered problem.

    A problem that was recorded from a chat of several turns has the whole of it in ``metadata["chat"]``; ``system`` then
    only stands where that has no system message of its own.
    """
    chat = problem.metadata.get(CHAT)
    messages = [{"role": "user", "content": question}]
    if isinstance(chat, list) and chat and all(map(_is_message, chat)):
        messages = [{"role": message["role"], "content": message["content"]} for message in chat]
    if system and messages[0]["role"] != "system":
        messages = [{"role": "system", "content": system}, *messages]
    return messages


def _is_message(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(key), str) for key in ("role", "content"))


def render_choices(problem: Problem) -> str:
    """Options as lines ``A) …`` in their fixed order, with an empty line after; empty when the text holds them."""
    lines = _choice_lines(problem)
    return "\n".join(lines) + "\n\n" if lines else ""


def _choice_lines(problem: Problem) -> list[str]:
    options = list(zip(LETTERS, problem.choices or (), strict=False))
    shown = [
        re.compile(rf"^\W*{letter}[).:\]]\W*{re.escape(choice.strip())}\W*$", re.MULTILINE)
        for letter, choice in options
    ]
    if all(pattern.search(problem.problem) for pattern in shown):
        return []
    return [f"{letter}) {choice}" for letter, choice in options]


def _plain(problem: Problem) -> str:
    """The question alone; options, samples or starter code follow where the text does not hold them."""
    parts = [problem.problem.rstrip(), *_choice_lines(problem)]
    if problem.kind is ProblemKind.CODE and "check_code" not in problem.metadata:
        function = defined_function(problem.starter_code)
        name = problem.fn_name or (function.name if function is not None else None)
        if problem.starter_code and (name is None or not re.search(rf"\b{name}\b", problem.problem)):
            parts.append(problem.starter_code.rstrip())
        samples = [_sample(name, test) for test in problem.tests or () if test.public] if name else []
        text = "".join(problem.problem.split())
        if samples and not any("".join(sample.split()) in text for sample in samples):
            parts += ["Samples:", *samples]
    return "\n".join(parts)


def _sample(name: str, test: TestCase) -> str:
    """A public test of a function as an expression: ``solve(3, 20) == 6``."""
    arguments = ", ".join(_literal(line) for line in test.input.splitlines() if line.strip())
    return f"{name}({arguments}) == {_literal(test.output)}"


def _literal(text: str) -> str:
    """A JSON value in Python's spelling; any other text as it stands."""
    try:
        return repr(json.loads(text))
    except ValueError:
        return text.strip()


def _render_code(problem: Problem) -> str:
    text = problem.problem.rstrip()
    if "check_code" in problem.metadata:
        return f"{COMPLETION_REQUEST}\n```python\n{text}\n```"
    if problem.starter_code:
        return f"{text}\n\n{FUNCTION_REQUEST.format(starter=problem.starter_code.rstrip())}"
    if problem.fn_name:
        return f"{text}\n\n{NAMED_FUNCTION_REQUEST.format(name=problem.fn_name)}"
    return f"{text}\n\n{STDIN_REQUEST}"
