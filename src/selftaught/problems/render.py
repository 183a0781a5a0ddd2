"""The user message for a problem: question, options or starter code, and how to give the answer.

The chat template is applied by the engine's tokenizer, not here. A problem whose ``metadata["rendered"]`` is true is
asked in its own words alone.
"""

from __future__ import annotations

from selftaught.problems.formats import LETTERS
from selftaught.records import Problem, ProblemKind

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


def render_question(problem: Problem) -> str:
    """Text of the user message."""
    if problem.metadata.get("rendered"):
        return problem.problem
    if problem.kind is ProblemKind.CHOICE:
        return f"{problem.problem.rstrip()}\n\n{render_choices(problem)}{CHOICE_REQUEST}"
    if problem.kind is ProblemKind.CODE:
        return _render_code(problem)
    return f"{problem.problem.rstrip()}\n\n{MATH_REQUEST}"


def render_choices(problem: Problem) -> str:
    """Options as lines ``A) …`` in their fixed order, with an empty line after; empty when the text holds them."""
    if not problem.choices:
        return ""
    lines = [f"{letter}) {choice}" for letter, choice in zip(LETTERS, problem.choices, strict=False)]
    return "\n".join(lines) + "\n\n"


def _render_code(problem: Problem) -> str:
    text = problem.problem.rstrip()
    if "check_code" in problem.metadata:
        return f"{COMPLETION_REQUEST}\n```python\n{text}\n```"
    if problem.starter_code:
        return f"{text}\n\n{FUNCTION_REQUEST.format(starter=problem.starter_code.rstrip())}"
    if problem.fn_name:
        return f"{text}\n\n{NAMED_FUNCTION_REQUEST.format(name=problem.fn_name)}"
    return f"{text}\n\n{STDIN_REQUEST}"
