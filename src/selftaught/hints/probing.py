"""The policy of a probe: it counts the places that a trajectory comes to, and puts one hint at one of them.

Without a target it inserts nothing, and remembers each visit of a place. With a target it inserts the hint at that visit.
Both pause at the same tokens, so a branch comes to the same visits as the trajectory that it branches from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from selftaught.hints.features import Features
from selftaught.hints.functions import Language
from selftaught.hints.learned import LearnedChoice
from selftaught.hints.library import HintLibrary, On, Rule
from selftaught.hints.places import place_rules
from selftaught.hints.policy import HintChoice, HintPolicy, Occasion
from selftaught.records import Problem

MOST_VISITS: Mapping[str, int] = {"start": 1, "paragraph": 6, "word": 6, "conclusion": 2, "end": 1, "repetition": 1}
"""Place → visits that are counted. A learned policy acts at an early visit or never, and each pause costs time."""
_LEAST_ROOM = 128
"""Tokens of the budget that must be left at a visit, or no hint could change anything."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A place that a trajectory came to."""

    place: str
    token: int
    """Tokens after the prompt."""
    features: Features


@dataclass(frozen=True, slots=True)
class Target:
    """Which hint goes in where."""

    visit: int
    """Number of the visit, from 0."""
    function: str
    reason: str


class PlacePolicy(HintPolicy):
    """See the module."""

    def __init__(
        self,
        library: HintLibrary,
        problem: Problem,
        places: Sequence[str],
        *,
        seed: int = 0,
        sample: int = 0,
        language: Language = "en",
        target: Target | None = None,
    ) -> None:
        named: dict[str, str] = {}
        rules: list[Rule] = []
        policies: dict[str, Any] = {name: policy.model_dump() for name, policy in library.policies.items()}
        for place in places:
            for content in place_rules(problem.kind, place, list(library.functions), policies):
                rule = Rule.model_validate({**content, "cap": MOST_VISITS[place], "unless": []})
                rules.append(rule)
                named[rule.name] = place
        super().__init__(library, "none", problem, seed=seed, sample=sample, language=language, rules=rules)
        self._place_of, self._target = named, target
        self.visits: list[Visit] = []

    def waits_for(self, on: On) -> bool:
        """True while a place of this kind may be visited again."""
        counts = [visit.place for visit in self.visits]
        places = {self._place_of[rule.name] for rule in self.rules if rule.when is on}
        return any(counts.count(place) < MOST_VISITS[place] for place in places)

    def consider(self, occasion: Occasion) -> HintChoice | None:
        """Count a visit; the target's hint at its visit."""
        if occasion.calls_left <= 0 or occasion.max_tokens - occasion.num_tokens < _LEAST_ROOM:
            return None
        for rule in self.rules:
            place = self._place_of[rule.name]
            trigger = self._trigger(rule, occasion) if rule.when is occasion.on else None
            if trigger is None or not self.waits_for(rule.when):
                continue
            number = len(self.visits)
            self.visits.append(Visit(place, occasion.num_tokens, occasion.features(place)))
            if self._target is not None and self._target.visit == number:
                choice = LearnedChoice(self._target.function, self._target.reason)
                return self._choose(rule, occasion, trigger, 0, choice)
            return None
        return None
