"""Python cells that work on a problem, with what they print.

They stand in worksheets; never between ``<think>`` tags.
"""

from __future__ import annotations

import random
import re

from selftaught.toy.corpus.by_hand import conclusion, signature, slip
from selftaught.toy.corpus.pieces import cell, repeats
from selftaught.toy.families import Item
from selftaught.toy.families.item import pick
from selftaught.toy.phrases import CONFIRMED, FAILED, PASSED, SLIPPED, lead_again, lead_test, report_value

RECHECKS = (0.4, 0.4, 0.3, 0.2, 0.1)
"""Chance of one more cell for a problem that is solved already: the first time, the second, … It falls with each. When
it was drawn once a document, many cells promised yet another one, and the model rechecked without end (docs/log.md)."""
SAME_PROGRAM, PROBE, SLIP, FAILURE = 0.5, 0.2, 0.12, 0.06
"""Kinds of such a cell, as shares: it runs the same program again (what was copied right once stays right), asks
something else about the result (a probe), has a wrong number in it, or fails. The remaining cells run another program.
What these cells print is not always the answer, so the model learns that a later cell does not overturn it."""


def sample_run(item: Item, index: int) -> tuple[str, str]:
    """Draft ``index`` of a code problem with the sample calls behind it, and what that prints."""
    calls = "\n".join(f"print({sample})" for sample in item.samples)
    return f"{item.drafts[index].program}\n{calls}", "\n".join([str(index == item.right)] * len(item.samples))


def broken(rng: random.Random, program: str) -> tuple[str, str]:
    """A program that fails, with the traceback that the interpreter shows."""
    # A use of a name that nothing defines, put before any line: it fails there in every program, and the traceback is
    # known without running it.
    name = pick(rng, ("total", "result", "value", "limit"))
    lines = program.split("\n")
    row = rng.randrange(len(lines))
    indent = lines[row][: len(lines[row]) - len(lines[row].lstrip())]
    lines.insert(row, f"{indent}{name} += 1")
    trace = f"Traceback (most recent call last):\n  File \"<cell 1>\", line {row + 1}, in <module>\nNameError: name '{name}' is not defined"
    return "\n".join(lines), trace


def solved_cells(rng: random.Random, item: Item) -> str:
    """Cells that solve a maths or choice problem, with remarks, up to five; the first may fail."""
    value = item.answer or ""
    text = ""
    if rng.random() < 0.12:
        program, trace = broken(rng, pick(rng, item.programs))
        text += (
            cell(program, trace)
            + pick(
                rng,
                (
                    "The program failed. A name is missing.",
                    "That was an error. I correct it.",
                    "The run failed, so I write it again.",
                ),
            )
            + pick(rng, ("\n", "\n\n"))
        )
        if rng.random() < 0.5:
            text += lead_again(rng) + pick(rng, ("\n", "\n\n"))
    program = pick(rng, item.programs)
    text += cell(program, value) + f"{report_value(rng, value)} {conclusion(rng, item, value)}\n"
    for _ in range(repeats(rng, RECHECKS)):
        text += pick(rng, ("", "", "\n")) + lead_again(rng) + pick(rng, ("\n", "\n\n"))
        text += f"{another_cell(rng, item, program, value)} {conclusion(rng, item, value)}\n"
    return text


def another_cell(rng: random.Random, item: Item, program: str, value: str) -> str:
    """One more cell for a problem that ``program`` has solved, and a remark.

    What was found before stands, whatever it prints.
    """
    (kind,) = rng.choices(
        ("same", "probe", "slip", "failure", "other"),
        (SAME_PROGRAM, PROBE, SLIP, FAILURE, 1 - SAME_PROGRAM - PROBE - SLIP - FAILURE),
    )
    if kind == "probe" and value.isdigit():
        return cell(*probe(rng, value)) + pick(rng, CONFIRMED)
    if kind == "slip":
        return cell(*slipped(rng, program, value)) + pick(rng, SLIPPED)
    if kind == "failure":
        return cell(*broken(rng, program)) + pick(rng, SLIPPED)
    return cell(pick(rng, item.programs) if kind == "other" else program, value) + pick(rng, CONFIRMED)


def slipped(rng: random.Random, program: str, value: str) -> tuple[str, str]:
    """``program`` with one number changed, and a result that differs from ``value``."""
    spans = [match.span() for match in re.finditer(r"\d+", program)]
    start, stop = pick(rng, spans)
    changed = f"{program[:start]}{rng.randint(1, 99)}{program[stop:]}"
    return changed, slip(rng, value) if value.isdigit() else pick(rng, [each for each in "ABCD" if each != value])


def probe(rng: random.Random, value: str) -> tuple[str, str]:
    """A program that asks something else about a result (its remainder, its size, its length), and what it prints."""
    divisor, limit = rng.randint(2, 12), rng.randint(0, 99)
    return pick(
        rng,
        (
            (f"print({value} % {divisor})", str(int(value) % divisor)),
            (f"print({value} > {limit})", str(int(value) > limit)),
            (f"print(len(str({value})))", str(len(value))),
        ),
    )


def tested_cells(rng: random.Random, item: Item, first: int) -> str:
    """Cells that run draft ``first`` on the samples and, when it fails, the other draft."""
    text, index = "", first
    for _ in range(2):  # there are two drafts, and one of them is right
        run = cell(*sample_run(item, index))
        text += run
        if index == item.right:
            text += pick(rng, PASSED) + "\n"
            for _ in range(repeats(rng, RECHECKS)):
                text += pick(rng, (lead_again, lead_test))(rng) + pick(rng, ("\n", "\n\n")) + template_block(rng, item)
                text += run + pick(rng, PASSED) + "\n"
            return text
        index = 1 - index
        text += f"{pick(rng, FAILED)} {item.drafts[index].reading}\n"
        if rng.random() < 0.5:
            text += lead_test(rng) + pick(rng, ("\n", "\n\n"))
    return text


def template_block(rng: random.Random, item: Item) -> str:
    """Nothing, or a template that stands before the test program as in tutorials.

    The debug hint has such a template.
    """
    if rng.random() < 0.55:
        return ""
    calls = "\n".join(f"print({sample})" for sample in item.samples[: rng.randint(1, 2)])
    shape = f"def {signature(item)}:\n    ...\n{pick(rng, ('', chr(10)))}{calls}"
    listed = " and ".join(item.samples)
    after = pick(
        rng, ("Now with the body:", "Filled in:", f"The samples are {listed}.", f"It should hold that {listed}.")
    )
    return f"```{pick(rng, ('python', 'python', 'text'))}\n{shape}\n```\n{pick(rng, ('', chr(10)))}{after}\n\n"
