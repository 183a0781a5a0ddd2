"""Colours of the report: one name per meaning, a light and a dark value for each, shared by page and figure files.

A condition keeps its colour in every chart and on every trajectory page; an outcome keeps its own. Charts refer to a
colour by class (``f-start`` fills, ``s-start`` strokes), so that one drawing serves both themes. No meaning rests on
colour alone: outcomes also have a sign, lines are labelled where they end.
"""

from __future__ import annotations

from selftaught.evals.loop import LOOP
from selftaught.records import ExecStatus, Outcome, SpanSource

INK = {
    "ink": ("#1b1f24", "#e6e8eb"),
    "soft": ("#4a525c", "#b3bac3"),
    "muted": ("#6b7480", "#8f98a3"),
    "grid": ("#e3e6ea", "#2b3138"),
    "axis": ("#aab1ba", "#4b545e"),
    "paper": ("#ffffff", "#14171a"),
    "panel": ("#f6f7f9", "#1b1f24"),
    "edge": ("#dfe3e8", "#2d343b"),
    "accent": ("#1d5fb0", "#6fadf2"),
}
"""Text, lines and surfaces: name → (light, dark)."""


def condition_colours() -> dict[str, tuple[str, str]]:
    """START's conditions: name → (light, dark)."""
    return dict(zip(LOOP.names, _CONDITION, strict=True))


_CONDITION = (
    ("#7d8590", "#939ca7"),
    ("#c4820e", "#e0a63f"),
    ("#a9745b", "#c4937b"),
    ("#74a5da", "#5b8ec7"),
    ("#1d5fb0", "#6fb1f7"),
    ("#6a4bb0", "#a98bee"),
    ("#3f938e", "#5fb8b2"),
)
"""In the order of START's conditions."""

EXTRA = [
    ("#a3456f", "#d57ba3"),
    ("#6c8a2e", "#a3c15f"),
    ("#b3502f", "#e08a69"),
    ("#356f8c", "#6faac6"),
    ("#8a6d1f", "#c7a955"),
    ("#5d6ea8", "#98a6da"),
    ("#2f7a5d", "#6dbb9b"),
    ("#9a4f9a", "#cf8fcf"),
]
"""Colours of further conditions, in turn."""

OUTCOME = {
    Outcome.CORRECT: ("#2f9269", "#3fa67b"),
    Outcome.WRONG: ("#d4694a", "#d8745a"),
    Outcome.NO_ANSWER: ("#dcb04a", "#d3ac55"),
    Outcome.TRUNCATED: ("#8d79b8", "#a896d0"),
    Outcome.TIMED_OUT: ("#5d97b3", "#7cb4cf"),
    Outcome.ERROR: ("#5f666f", "#858d97"),
}

OUTCOME_LABEL = {
    Outcome.CORRECT: "correct",
    Outcome.WRONG: "wrong",
    Outcome.NO_ANSWER: "no answer",
    Outcome.TRUNCATED: "truncated",
    Outcome.TIMED_OUT: "timed out",
    Outcome.ERROR: "error",
}

STATUS = {
    ExecStatus.OK: OUTCOME[Outcome.CORRECT],
    ExecStatus.ERROR: OUTCOME[Outcome.WRONG],
    ExecStatus.TIMEOUT: OUTCOME[Outcome.TIMED_OUT],
    ExecStatus.MEMORY: OUTCOME[Outcome.TRUNCATED],
    ExecStatus.OUTPUT: OUTCOME[Outcome.NO_ANSWER],
    ExecStatus.CRASH: OUTCOME[Outcome.ERROR],
    ExecStatus.REFUSED: ("#b9bfc6", "#545c65"),
}

SPAN = {
    SpanSource.PROMPT: ("#8a929c", "#7c8590"),
    SpanSource.MODEL: ("#3c4650", "#c3cad2"),
    SpanSource.HINT: ("#c4820e", "#e0a63f"),
    SpanSource.TOOL: ("#2b7f8c", "#58b3bf"),
    SpanSource.CONTROL: ("#8b5aa8", "#b98ad4"),
}

SHADE = [
    ("#e4e8ed", "#2a3037"),
    ("#9dc0e6", "#2f5580"),
    ("#5b93d0", "#4a80bd"),
    ("#1d5fb0", "#7ab4f2"),
    ("#123d73", "#c1ddfb"),
]
"""Five steps of one hue, for counts."""


def slug(name: str) -> str:
    """A class name from a known or unknown name: letters, digits and hyphens only."""
    plain = name.replace("+", "-plus-")
    return "".join(char if char.isascii() and char.isalnum() else "-" for char in plain).strip("-").lower() or "x"


class Palette:
    """Colour classes of one report; conditions that the paper does not name get the extra colours in order."""

    def __init__(self, conditions: list[str]) -> None:
        self.colours: dict[str, tuple[str, str]] = dict(INK)
        self._classes: dict[str, str] = {}
        extra = 0
        known = condition_colours()
        for name in dict.fromkeys([*known, *conditions]):
            if name in known:
                css_class, pair = f"c-{slug(name)}", known[name]
            else:
                css_class, pair = f"c-x{extra}", EXTRA[extra % len(EXTRA)]
                extra += 1
            self._classes[name] = css_class
            self.colours[css_class] = pair
        self.colours |= {f"o-{outcome.value}": pair for outcome, pair in OUTCOME.items()}
        self.colours |= {f"e-{status.value}": pair for status, pair in STATUS.items()}
        self.colours |= {f"p-{source.value}": pair for source, pair in SPAN.items()}
        self.colours |= {f"n-{index}": pair for index, pair in enumerate(SHADE)}

    def condition(self, name: str) -> str:
        """Colour name of a condition; an unknown one reads as muted text."""
        return self._classes.get(name, "muted")

    def variables(self, dark: bool) -> str:
        """CSS custom properties of one theme: ``--start:#1d5fb0;…``."""
        return "".join(f"--{name}:{pair[dark]};" for name, pair in self.colours.items())

    def class_rules(self, literal: bool) -> str:
        """``.f-name`` and ``.s-name`` rules, with variables for the page or plain light colours for files."""
        rules = []
        for name, pair in self.colours.items():
            value = pair[0] if literal else f"var(--{name})"
            rules.append(f".f-{name}{{fill:{value}}}.s-{name}{{stroke:{value}}}")
        return "".join(rules)

    def file_css(self) -> str:
        """Style of a figure that stands alone: light colours, dark ones where the viewer asks for them."""
        dark = "".join(
            f".f-{name}{{fill:{pair[1]}}}.s-{name}{{stroke:{pair[1]}}}" for name, pair in self.colours.items()
        )
        return self.class_rules(literal=True) + f"@media (prefers-color-scheme:dark){{{dark}}}"
