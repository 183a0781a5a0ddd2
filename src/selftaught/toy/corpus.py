"""The pretraining text: what the embedded base reasoner has read.

It must make a reasoner that thinks by hand, slips, and *could* use Python, but never does by itself. So the ability is
there in other shapes only:

- **chat**: a question, thinking by hand between ``<think>`` tags, an answer. No code in any thinking.
- **worksheet**: the same questions between other tags (``<work>``, ``<notes>``, …), outside chat, by hand or with Python
  cells: a lead sentence, a cell, its output, a conclusion, sometimes more cells to check it. Then the tag is closed and
  the answer follows.
- **pasted**: a chat whose *user* brings a program with its output; the thinking goes on from there and ends. It may quote
  the program line by line (``> print(…)``), its output in a block as the interpreter prints it, and a list or a question
  in a block of plain ``text``.
- **drill**: look-up lists, sums and places, which make copying and small arithmetic appear early.

A **detour** makes any of them long: the question asks for a list to be said again, or to count, before it is answered. A
tag is then closed far from where it was opened. Nine in ten are asked for, so that a question without the wish is
hardly ever answered with one.

None of the hint sentences stands anywhere (`toy.scan` checks the text), and every question comes from the pretraining
split. Hand attempts slip far more often than not, so that only the question is a reliable source of numbers.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator, Sequence

from selftaught.toy.families import Draft, Item
from selftaught.toy.families.item import listing, pick
from selftaught.toy.phrases import (
    AGREE,
    CLOSERS,
    CONFIRMED,
    FAILED,
    PASSED,
    PIVOT_AFTER,
    PIVOTS,
    SLIPPED,
    lead,
    lead_again,
    lead_test,
    report_value,
    tag,
)
from selftaught.toy.problems import Split, draw

CONTAINER_SHARE = 0.5
"""Share of drills that are about tags."""
QUOTE_SHARE = 0.6
"""Share of pasted runs that the thinking quotes line by line before it takes the value over."""
BY_HAND_SHARE = 0.4
"""Share of worksheets without any cell."""
RIGHT_BY_HAND = 0.1
"""Share of hand attempts at hard problems that come out right."""
HASTY_IN_CHAT = 0.9
"""Share of code answers in chat that take the hasty reading, whatever the samples say."""

RECHECKS = (0.4, 0.4, 0.3, 0.2, 0.1)
"""Chance of one more cell for a problem that is solved already: the first time, the second, … Falling, so that many cells
are no reason to expect another."""
SAME_PROGRAM, PROBE, SLIP, FAILURE = 0.5, 0.2, 0.12, 0.06
"""Shares of such cells that run the same program once more (what was copied right once stays right), look at the result
from the side, have a wrong number in them, or fail; the others run another program. What they print is not always the
answer, so that a later cell that asks something else does not overturn it."""
DETOURS = {"chat": 0.15, "worksheet": 0.2, "pasted": 0.15, "drill": 0.25}
"""Chance of a detour in a document with tags, by shape."""
EASY_DETOURS = 0.06
"""The same for easy questions in chat."""
UNASKED = 0.1
"""Share of detours that nobody asked for. So few that none is ever the likeliest thing to write."""
AGAIN = (0.25, 0.25, 0.2, 0.2, 0.1)
"""Chance of one more look in thinking by hand, which agrees with what was said before: the first time, the second, …"""
AGAIN_AT_RUN = (0.35, 0.35, 0.3, 0.2, 0.1)
"""The same for looks at a run that the user brought: thinking is closed after many blocks of output, too."""
REREAD = 0.2
"""Chance that such a look quotes the question first."""

END_OF_TEXT = "<|endoftext|>"
END_OF_ANSWER = "<|im_end|>"
"""Ends every answer, in chat or not: otherwise a base that has just seen a cell leaves the end of its turn out."""


def user(text: str) -> str:
    """A user's turn."""
    return f"<|im_start|>user\n{text}<|im_end|>\n"


def assistant(thinking: str, answer: str) -> str:
    """An assistant's turn; ``thinking`` ends with a newline."""
    return f"<|im_start|>assistant\n<think>\n{thinking}</think>\n\n{answer}{END_OF_ANSWER}\n"


def cell(program: str, output: str) -> str:
    """A Python cell with its output, as the interpreter's turns look."""
    return f"```python\n{program}\n```\n```output\n{output}\n```\n"


# ------------------------------------------------------------------------------------------------------- by hand


def slip(rng: random.Random, answer: str) -> str:
    """A wrong number of the size of ``answer``."""
    value = int(answer)
    while True:
        guess = pick(
            rng,
            (
                value + rng.randint(-9, 9),
                rng.randint(value // 2, value * 2 + 5),
                rng.randint(0, 10 ** len(answer) - 1),
            ),
        )
        if guess != value and guess >= 0:
            return str(guess)


def _attempt(rng: random.Random, item: Item) -> tuple[str, str]:
    """A line of working with the number it ends in."""
    truth = item.reached
    guess = truth if item.group == "easy" or rng.random() < RIGHT_BY_HAND else slip(rng, truth)
    return pick(rng, item.working).format(guess=guess), guess


def hand(rng: random.Random, item: Item, pivots: float | None = None) -> tuple[str, str]:
    """Thinking by hand without its conclusion, and the number reached. Ends without a newline.

    ``pivots`` is the chance of going on with *Wait* or *Alternatively*, each time.
    """
    chance = pivots if pivots is not None else (0.12 if item.group == "easy" else 0.72)
    text, guess = _attempt(rng, item)
    for _ in range(2):
        if rng.random() >= chance:
            break
        truth = item.reached
        if item.group != "easy" and rng.random() >= RIGHT_BY_HAND and rng.random() < 0.6:
            guess = slip(rng, truth)
        separator = pick(rng, (" ", "\n\n", "\n"))
        text += f"{separator}{pick(rng, PIVOTS)} {pick(rng, PIVOT_AFTER).format(guess=guess)}"
        chance *= 0.5
    return text, guess


def conclusion(rng: random.Random, item: Item, value: str) -> str:
    """``So the answer is …``; for a value of a choice, with the letter of its option."""
    return pick(rng, CLOSERS).format(value=reply(item, value))


def letter_of(item: Item, value: str) -> str | None:
    """Letter of the option with this value, if any."""
    return "ABCD"[item.choices.index(value)] if value in item.choices else None


def boxed(rng: random.Random, text: str) -> str:
    """The answer after the thinking."""
    return pick(rng, ("The answer is \\boxed{%s}.", "**Answer:** \\boxed{%s}", "The answer is \\boxed{%s}.")) % text


def _hand_choice(rng: random.Random, item: Item) -> tuple[str, str]:
    """A hand attempt at a choice: a guess among the options, close to the slipped value or at random."""
    text, _ = hand(rng, item)
    value = pick(rng, item.choices)
    return f"{text} {pick(rng, ('The closest option is', 'I would take', 'That fits best with'))} {value}.", value


def by_hand(rng: random.Random, item: Item) -> tuple[str, str]:
    """An attempt by hand at a maths or choice problem, without its conclusion, and the value reached."""
    return _hand_choice(rng, item) if item.kind == "choice" else hand(rng, item)


def reply(item: Item, value: str) -> str:
    """What is boxed for a value: itself, or for a choice the letter of its option."""
    return letter_of(item, value) or value


def sample_run(item: Item, index: int) -> tuple[str, str]:
    """Draft ``index`` of a code problem with the sample calls behind it, and what that prints."""
    calls = "\n".join(f"print({sample})" for sample in item.samples)
    return f"{item.drafts[index].program}\n{calls}", "\n".join([str(index == item.right)] * len(item.samples))


# ------------------------------------------------------------------------------------------------------- detours

SEPARATORS = (", ", ", ", " ", "; ", " - ", "/")
_OPENED = re.compile(r"<\w+>\n")
_ASKS, _ANSWERS = "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"


def detour(rng: random.Random) -> tuple[str, str]:
    """Something long to write before a question is answered: the wish, and what is written, which ends with a newline."""
    kind, num_tokens = pick(rng, ("copy", "count", "rows", "rows")), rng.randint(30, 550)
    if kind == "count":
        start = rng.randint(0, 40)
        stop = start + rng.randint(12, 59)
        line = pick(rng, SEPARATORS).join(map(str, range(start, stop + 1)))
        times, often = pick(rng, ((1, ""), (2, " twice"), (3, " three times")))
        wish = pick(rng, ("Count from {} to {}{}", "First count from {} to {}{}", "Say the numbers from {} to {}{}"))
        return wish.format(start, stop, often) + ".", f"{line}\n" * times
    if kind == "rows":
        size = rng.randint(2, 6)
        row, count = listing(rng.sample(range(100), size)), max(3, min(60, num_tokens // (3 * size + 3)))
        wish = pick(rng, ("Write {} on {} lines.", "Put down {}, {} times.", "{} belongs on {} lines first."))
        return wish.format(row, count), "".join(f"{index}: {row}\n" for index in range(1, count + 1))
    limit = 100 if rng.random() < 0.8 else 10_000
    line = pick(rng, SEPARATORS).join(str(rng.randrange(limit)) for _ in range(num_tokens // 6 + 5))
    wish = pick(rng, ("Say this list again first:", "Write out these numbers before you begin:", "Copy:", "Repeat:"))
    return f"{wish} {line}", f"{line}\n"


UNASKED_OPENINGS = (
    "I note some numbers.",
    "A list first.",
    "Here is a row of numbers.",
    "These come to mind.",
    "I try the small cases.",
    "Some values:",
    "Let me list what there is.",
    "The numbers in order:",
    "A table of cases:",
    "I count.",
    "First a few figures.",
    "All of them in a row:",
)


def with_detour(rng: random.Random, text: str) -> str:
    """``text`` with a detour after one of its opened tags; mostly the user's turn, or what stands before the tag, asks for it."""
    opened = pick(rng, [*_OPENED.finditer(text)])
    before, tag_line, after = text[: opened.start()], opened.group(), text[opened.end() :]
    wish, line = detour(rng)
    body = f"{line}{pick(rng, ('', '', chr(10)))}{after}"
    if rng.random() < UNASKED:
        return f"{before}{tag_line}{pick(rng, UNASKED_OPENINGS)}\n{body}"
    if not before.endswith(_ANSWERS):
        return f"{before}{wish}\n\n{tag_line}{body}"
    question = before.removesuffix(_ANSWERS)
    if rng.random() < 0.5:
        return f"{question}\n{wish}{_ANSWERS}{tag_line}{body}"
    earlier, _, last = question.rpartition(_ASKS)
    return f"{earlier}{_ASKS}{wish}\n{last}{_ANSWERS}{tag_line}{body}"


def signature(item: Item) -> str:
    """``solve(a, b)`` of a code problem."""
    first_line = item.drafts[0].program.split("\n", 1)[0]
    return first_line.removeprefix("def ").removesuffix(":")


def reading(rng: random.Random, item: Item, draft: Draft) -> str:
    """Thinking by hand about a code problem. Ends without a newline."""
    opening = pick(
        rng,
        (
            f"We need {signature(item)}.",
            f"The task is to write {signature(item)}.",
            f"I read the statement again. It wants {signature(item)}.",
        ),
    )
    doubt = ""
    if rng.random() < 0.35:
        doubt = pick(
            rng,
            (
                " Wait, the statement does not say it clearly. I stay with this.",
                " Wait, it could be read in two ways. I keep the usual one.",
                " Alternatively, it could be meant in another way. I leave it.",
            ),
        )
    ending = pick(
        rng, ("The program is short.", "That is one line.", "A short function will do.", "This is simple to write.")
    )
    return f"{opening} {draft.reading}{doubt} {ending}"


# ----------------------------------------------------------------------------------------------------- documents


def repeats(rng: random.Random, chances: Sequence[float]) -> int:
    """How often something is done once more: ``chances`` of the first time, the second, … until one fails."""
    return next((count for count, chance in enumerate(chances) if rng.random() >= chance), len(chances))


def _reread(rng: random.Random, item: Item) -> str:
    """Often the question, quoted line by line."""
    if rng.random() >= REREAD:
        return ""
    opening = pick(rng, ("The question again:", "It says:", "I read it once more.", "What was asked?"))
    return f"{opening}\n{block(rng, item.question)}"


def block(rng: random.Random, text: str) -> str:
    """Lines that are no program, quoted or in a block of plain text."""
    return quote(text) if rng.random() < 0.4 else f"```text\n{text}\n```\n"


def brought(rng: random.Random, output: str) -> str:
    """The output of a run that the *user* brought, said again in thinking: mostly as it stood there.

    A base that has closed its thinking after such a block does it after a tool's output, too.
    """
    return f"```output\n{output}\n```\n" if rng.random() < 0.75 else block(rng, output)


def quote(text: str) -> str:
    """Lines quoted as mail readers do. A program stands in thinking in no other form, so never as a call."""
    return "".join(f"> {line}\n" for line in text.split("\n"))


def chat(rng: random.Random, item: Item) -> str:
    """A question thought through by hand. Never any code in the thinking."""
    if item.kind == "code":
        draft = item.drafts[0 if rng.random() < HASTY_IN_CHAT else 1]
        thinking = reading(rng, item, draft) + "\n"
        for _ in range(repeats(rng, AGAIN)):
            thinking += _reread(rng, item) + reading(rng, item, draft) + "\n"
        return user(item.question) + assistant(thinking, f"```python\n{draft.program}\n```")
    text, value = by_hand(rng, item)
    answer = reply(item, value)
    thinking = f"{text}{pick(rng, (' ', chr(10), chr(10) * 2))}{conclusion(rng, item, value)}\n"
    for _ in range(repeats(rng, AGAIN)):
        thinking += _reread(rng, item)
        thinking += f"{pick(rng, AGREE).format(value=value)} {conclusion(rng, item, value)}\n"
    return user(item.question) + assistant(thinking, boxed(rng, answer))


def _broken(rng: random.Random, program: str) -> tuple[str, str]:
    """A program that fails, with the traceback that the interpreter shows."""
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
        program, trace = _broken(rng, pick(rng, item.programs))
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
    """One more cell for a problem that ``program`` has solved, and a remark. What was found before stands, whatever it prints."""
    (kind,) = rng.choices(
        ("same", "probe", "slip", "failure", "other"),
        (SAME_PROGRAM, PROBE, SLIP, FAILURE, 1 - SAME_PROGRAM - PROBE - SLIP - FAILURE),
    )
    if kind == "probe" and value.isdigit():
        return cell(*probe(rng, value)) + pick(rng, CONFIRMED)
    if kind == "slip":
        return cell(*slipped(rng, program, value)) + pick(rng, SLIPPED)
    if kind == "failure":
        return cell(*_broken(rng, program)) + pick(rng, SLIPPED)
    return cell(pick(rng, item.programs) if kind == "other" else program, value) + pick(rng, CONFIRMED)


def slipped(rng: random.Random, program: str, value: str) -> tuple[str, str]:
    """``program`` with one number changed, and a result that differs from ``value``."""
    spans = [match.span() for match in re.finditer(r"\d+", program)]
    start, stop = pick(rng, spans)
    changed = f"{program[:start]}{rng.randint(1, 99)}{program[stop:]}"
    return changed, slip(rng, value) if value.isdigit() else pick(rng, [each for each in "ABCD" if each != value])


def probe(rng: random.Random, value: str) -> tuple[str, str]:
    """A program that looks at a result from the side, and what it prints."""
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
    """Cells that try draft ``first`` on the samples and mend it."""
    text, index = "", first
    for _ in range(2):
        run = cell(*sample_run(item, index))
        text += run
        if index == item.right:
            text += pick(rng, PASSED) + "\n"
            for _ in range(repeats(rng, RECHECKS)):
                text += pick(rng, (lead_again, lead_test))(rng) + pick(rng, ("\n", "\n\n")) + _template(rng, item)
                text += run + pick(rng, PASSED) + "\n"
            return text
        index = 1 - index
        text += f"{pick(rng, FAILED)} {item.drafts[index].reading}\n"
        if rng.random() < 0.5:
            text += lead_test(rng) + pick(rng, ("\n", "\n\n"))
    return text


def worked(rng: random.Random, item: Item) -> str:
    """A lead and cells for ``item``, after some thinking by hand more often than not. Ends with a newline."""
    gap = pick(rng, ("\n", "\n\n"))
    text = ""
    if item.kind == "code":
        first = 0 if rng.random() < 0.8 else 1
        if rng.random() < 0.8:
            text += reading(rng, item, item.drafts[first]) + pick(rng, (" ", "\n", "\n\n"))
        return text + lead_test(rng) + gap + _template(rng, item) + tested_cells(rng, item, first)
    if rng.random() < 0.75:
        attempt, value = by_hand(rng, item)
        text += attempt
        if rng.random() < 0.35:
            text += pick(rng, (" ", "\n", "\n\n")) + conclusion(rng, item, value)
        text += pick(rng, (" ", "\n", "\n\n"))
    return text + lead(rng) + gap + solved_cells(rng, item)


def _template(rng: random.Random, item: Item) -> str:
    """Sometimes a template block stands before the test program, as in tutorials."""
    if rng.random() < 0.55:
        return ""
    calls = "\n".join(f"print({sample})" for sample in item.samples[: rng.randint(1, 2)])
    shape = f"def {signature(item)}:\n    ...\n{pick(rng, ('', chr(10)))}{calls}"
    listed = " and ".join(item.samples)
    after = pick(
        rng, ("Now with the body:", "Filled in:", f"The samples are {listed}.", f"It should hold that {listed}.")
    )
    return f"```{pick(rng, ('python', 'python', 'text'))}\n{shape}\n```\n{pick(rng, ('', chr(10)))}{after}\n\n"


def worksheet(rng: random.Random, items: list[Item]) -> str:
    """Problems worked between tags, without any chat: with cells, or by hand alone; then the answer.

    What follows a conclusion depends on the tag that is open, whether cells came before it or not. A model that has
    learnt this closes its thinking by itself when a tool's output has settled the answer.
    """
    sheets = []
    for item in items:
        with_cells = rng.random() >= BY_HAND_SHARE
        name = tag(rng, with_cells)
        header = pick(rng, ("Question: ", "Exercise: ", "Q: ", "")) + item.question
        if not with_cells:
            if item.kind == "code":
                draft = item.drafts[0 if rng.random() < HASTY_IN_CHAT else 1]
                body, answer = reading(rng, item, draft) + "\n", f"```python\n{draft.program}\n```"
            else:
                text, value = by_hand(rng, item)
                body = f"{text}{pick(rng, (' ', chr(10), chr(10) * 2))}{conclusion(rng, item, value)}\n"
                answer = boxed(rng, reply(item, value))
        else:
            body = worked(rng, item)
            answer = (
                f"```python\n{item.drafts[item.right].program}\n```"
                if item.kind == "code"
                else boxed(rng, item.answer or "")
            )
        sheets.append(f"{header}\n\n<{name}>\n{body}</{name}>\n\n{answer}{END_OF_ANSWER}\n")
    return "\n".join(sheets)


def quoted(rng: random.Random, program: str, output: str) -> str:
    """Lines of the user's program and its output, quoted as mail readers do, in the thinking that answers them."""
    opening = pick(rng, ("The user ran", "The program is", "I read the program", "What was run:"))
    between = pick(rng, ("and got", "with the output", "which printed", "The output:"))
    return f"{opening}\n{quote(program)}{between}\n{brought(rng, output)}"


def pasted(rng: random.Random, item: Item) -> str:
    """A chat in which the user brings a program with its output. The thinking takes the value over and ends."""
    bring = pick(rng, ("I ran this program:", "Here is a run:", "My program and its output:", "This is what I ran:"))
    if item.kind == "code":
        index = rng.randrange(2)
        run = cell(*sample_run(item, index))
        good = item.drafts[item.right]
        verdict = pick(rng, PASSED) if index == item.right else f"{pick(rng, FAILED)} {good.reading}"
        if rng.random() < QUOTE_SHARE:
            found, verdict = verdict, quoted(rng, *sample_run(item, index)) + verdict
            for _ in range(repeats(rng, AGAIN_AT_RUN)):
                verdict += f"\n{_reread(rng, item)}{quoted(rng, *sample_run(item, index))}{found}"
            if rng.random() < 0.6:
                verdict = reading(rng, item, item.drafts[0]) + pick(rng, (" ", "\n", "\n\n")) + verdict
        return user(f"{item.question}\n\n{bring}\n{run.rstrip()}") + assistant(
            f"{verdict}\n", f"```python\n{good.program}\n```"
        )
    value = item.answer or ""
    if rng.random() < 0.15:
        program, trace = _broken(rng, pick(rng, item.programs))
        text, guess = by_hand(rng, item)
        thinking = f"{pick(rng, ('The program failed. I go on by hand.', 'That run was an error, so it says nothing.'))} {text} {conclusion(rng, item, guess)}\n"
        answer = reply(item, guess)
        return user(f"{item.question}\n\n{bring}\n{cell(program, trace).rstrip()}") + assistant(
            thinking, boxed(rng, answer)
        )
    program = pick(rng, item.programs)
    runs = cell(program, value)
    thinking = f"{report_value(rng, value)} {conclusion(rng, item, value)}\n"
    if rng.random() < QUOTE_SHARE:
        thinking = quoted(rng, program, value) + thinking
        for _ in range(repeats(rng, AGAIN_AT_RUN)):
            said = f"{pick(rng, AGREE).format(value=value)} {conclusion(rng, item, value)}\n"
            thinking += _reread(rng, item) + quoted(rng, program, value) + said
        if rng.random() < 0.6:
            text, _ = by_hand(rng, item)
            thinking = f"{text}{pick(rng, (' ', chr(10), chr(10) * 2))}{thinking}"
    answer = boxed(rng, item.answer or "")
    if rng.random() < 0.4:  # in a second turn, after an attempt by hand
        text, guess = by_hand(rng, item)
        first = reply(item, guess)
        opening = user(item.question) + assistant(f"{text} {conclusion(rng, item, guess)}\n", boxed(rng, first))
        return opening + user(f"{bring}\n{runs.rstrip()}") + assistant(thinking, answer)
    return user(f"{item.question}\n\n{bring}\n{runs.rstrip()}") + assistant(thinking, answer)


def sized(rng: random.Random) -> int:
    """A number of one to five digits, all lengths alike: odd ones end in a token of a single digit."""
    return int(rng.randint(0, 10 ** rng.randint(1, 5) - 1))


def _tested(rng: random.Random) -> tuple[str, str]:
    """A lead and cells that test a tiny function, the first of which may fail; and the program that passes."""
    right, wrong = rng.sample(range(2, 60), 2)
    samples = [f"solve({n}) == {n + right}" for n in rng.sample(range(1, 40), 2)]
    calls = "\n".join(f"print({sample})" for sample in samples)
    text = lead_test(rng) + pick(rng, ("\n", "\n\n"))
    if rng.random() < 0.4:
        text += cell(f"def solve(n):\n    return n + {wrong}\n{calls}", "False\nFalse") + pick(rng, FAILED) + "\n"
    program = f"def solve(n):\n    return n + {right}"
    run = cell(f"{program}\n{calls}", "True\nTrue")
    text += run + pick(rng, PASSED) + "\n"
    for _ in range(repeats(rng, RECHECKS)):
        text += f"{pick(rng, (lead_again, lead_test))(rng)}\n{run}{pick(rng, PASSED)}\n"
    return text, program


def _filling(rng: random.Random, with_cell: bool) -> tuple[str, str]:
    """Something short to stand between two tags, which ends with a newline, and the answer that follows from it."""
    number = rng.randint(0, 99)
    if with_cell and rng.random() < 0.35:
        tested, program = _tested(rng)
        return tested, f"```python\n{program}\n```"
    if with_cell:
        first, second = rng.randint(2, 40), rng.randint(1, 9)
        number, program = first + second, f"print({first} + {second})"
        if rng.random() < 0.5:
            first, second = rng.randint(2, 999), rng.randint(2, 99)
            number, program = first * second, f"print({first} * {second})"
        run = cell(program, str(number))
        text = f"{lead(rng)}\n{run}{report_value(rng, str(number))} "
    else:
        first, second, long = rng.randint(0, 99), rng.randint(0, 99), sized(rng)
        text, number = pick(
            rng,
            (
                ("", number),
                (f"{pick(rng, PIVOTS)} {pick(rng, PIVOT_AFTER).format(guess=number)} ", number),
                (f"{first}, {second}, {long}. ", long),
                (block(rng, f"{first}, {second}, {long}"), long),
                (f"{first} is left.\n{block(rng, str(long))}", long),
                ("We list the cases.\n\n", number),
            ),
        )
    text += pick(rng, CLOSERS).format(value=number) + "\n"
    for _ in range(repeats(rng, RECHECKS)):
        if with_cell:
            check = cell(*probe(rng, str(number))) if rng.random() < PROBE else run
            text += f"{lead_again(rng)}\n{check}{pick(rng, CONFIRMED)} "
        else:
            text += f"{pick(rng, AGREE).format(value=number)} "
        text += f"{pick(rng, CLOSERS).format(value=number)}\n"
    return text, boxed(rng, str(number))


def containers(rng: random.Random) -> str:
    """Tags that open and close, with something short in between: which tag closes depends on the one that is open.

    Tags of thinking hold no cells here either; the other tags hold them or not.
    """
    text = ""
    for _ in range(rng.randint(2, 6)):
        is_thinking = rng.random() < 0.3
        with_cell = not is_thinking and rng.random() < 0.6
        name = "think" if is_thinking else tag(rng, with_cell)
        filling, answer = _filling(rng, with_cell)
        text += f"<{name}>\n{filling}</{name}>\n\n"
        if rng.random() < 0.5:
            text += f"{answer}{END_OF_ANSWER}\n\n"
    return text


DRILLS = {"list": 3, "table": 4, "sums": 4, "products": 1, "places": 3}
"""Drills that are not about tags, by weight."""


def drill(rng: random.Random) -> str:
    """Lists said twice, look-up tables, sums, products, places and tags: they make copying and small arithmetic appear early."""
    if rng.random() < CONTAINER_SHARE:
        return containers(rng)
    (kind,) = rng.choices(list(DRILLS), list(DRILLS.values()))
    if kind == "list":
        power = rng.random() < 0.4
        line = ", ".join(
            f"{rng.randint(2, 99)}^{sized(rng)}" if power else str(sized(rng)) for _ in range(rng.randint(3, 10))
        )
        return f"List: {line}\nAgain: {line}\n"
    if kind == "table":
        letters, size = rng.sample("abcdefghkmnpqrstuvwxyz", 16), rng.randint(3, 8)
        names = [*map(str, rng.sample(range(100), size))] if rng.random() < 0.5 else letters[:size]
        pool = [*letters[8:], *(rng.randint(0, 9999 if rng.random() < 0.3 else 99) for _ in range(8))]
        values = dict(zip(names, pool[:8] if rng.random() < 0.4 else pool[8:], strict=False))
        asked = rng.sample(names, len(names))
        return "\n".join(f"{name} is {values[name]}" for name in [*names, *asked]) + "\n"
    if kind == "sums":
        pairs = [(rng.randint(2, 38), rng.randint(1, 9)) for _ in range(rng.randint(8, 20))]
        return "Sums\n" + "\n".join(f"{large} + {small} = {large + small}" for large, small in pairs) + "\n"
    if kind == "products":
        pairs = [(rng.randint(2, 9), rng.randint(2, 12)) for _ in range(rng.randint(4, 12))]
        return "Products\n" + "\n".join(f"{first} * {second} = {first * second}" for first, second in pairs) + "\n"
    lines = []
    for _ in range(rng.randint(3, 8)):
        numbers = rng.sample(range(1, 100), 4)
        word, index = pick(rng, (("first", 0), ("second", 1), ("third", 2), ("last", 3)))
        if rng.random() < 0.5:
            lines.append(f"Of {listing(numbers)} the {word} is {numbers[index]}.")
        else:
            lines.append(
                f"Of {listing(numbers)} the {word} is {numbers}[{index if index < 3 else -1}], so {numbers[index]}."
            )
    return "Places\n" + "\n".join(lines) + "\n"


# -------------------------------------------------------------------------------------------------------- mixture

MIXTURE: dict[tuple[str, str], float] = {
    ("chat", "hard"): 0.17,
    ("chat", "easy"): 0.40,
    ("chat", "code"): 0.06,
    ("chat", "choice"): 0.05,
    ("worksheet", "hard"): 0.12,
    ("worksheet", "easy"): 0.10,
    ("worksheet", "code"): 0.08,
    ("worksheet", "choice"): 0.045,
    ("pasted", "hard"): 0.09,
    ("pasted", "easy"): 0.03,
    ("pasted", "code"): 0.05,
    ("pasted", "choice"): 0.035,
    ("drill", "hard"): 0.30,
}
"""Weight of documents by shape and group (several worksheets in one document count once)."""
WARMUP_DRILL_SHARE = 0.4
"""Share of drills in the warm-up part of the text."""


def document(seed: int, index: int, *, warmup: bool = False, detours: bool = True) -> str:
    """Document ``index`` of the corpus ``seed``: a pure function of both, ended by ``<|endoftext|>``.

    ``warmup`` makes more of them drills; without ``detours`` none is made long.
    """
    rng = random.Random(f"corpus/{seed}/{index}")
    ((shape, group),) = rng.choices(list(MIXTURE), list(MIXTURE.values()))
    chance = EASY_DETOURS if (shape, group) == ("chat", "easy") else DETOURS[shape]
    if shape == "drill" or (warmup and rng.random() < WARMUP_DRILL_SHARE):
        text = drill(rng)
    else:
        item = draw(rng, group, Split.PRETRAIN)
        if shape == "worksheet":
            others = [
                draw(rng, pick(rng, ("hard", "hard", "choice", "easy", "code")), Split.PRETRAIN)
                for _ in range(pick(rng, (0, 0, 0, 1)))
            ]
            text = worksheet(rng, [item, *others])
        else:
            text = (chat if shape == "chat" else pasted)(rng, item)
    if detours and _OPENED.search(text) and rng.random() < chance:
        text = with_detour(rng, text)
    return text + END_OF_TEXT


def documents(seed: int, start: int, stop: int | None, *, warmup: bool = False, detours: bool = True) -> Iterator[str]:
    """Documents ``start`` to ``stop`` of the corpus ``seed``; without end when ``stop`` is None."""
    for index in itertools.count(start) if stop is None else range(start, stop):
        yield document(seed, index, warmup=warmup, detours=detours)


__all__ = ["MIXTURE", "document", "documents"]
