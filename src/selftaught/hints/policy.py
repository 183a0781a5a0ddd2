"""Decides, at each occasion, whether a hint goes in and which one. Text in, decision out: no tokens, no I/O.

A `HintPolicy` is made for one trajectory. The rollout asks ``consider`` at every occasion that some rule waits for (a
word, a paragraph end, the end of thinking, a tool error, …); the answer is a `HintChoice` or None, and either way the
decision is recorded with its reason. All draws are hashes of (seed, problem, sample, rule, ordinal of the occasion):
order, batch, forks and resumption cannot change them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from selftaught.hints.debug import render_debug
from selftaught.hints.features import Features
from selftaught.hints.functions import Language
from selftaught.hints.learned import LearnedChoice, choose
from selftaught.hints.library import Gate, HintLibrary, On, Rule, hint_id
from selftaught.hints.places import level_of
from selftaught.records import HintDecision, HintInfo, HintPosition, Problem

_POSITIONS = {
    On.WORD: HintPosition.AFTER_WORD,
    On.REGEX: HintPosition.AFTER_WORD,
    On.PARAGRAPH: HintPosition.PARAGRAPH,
    On.END_OF_THINKING: HintPosition.END_OF_THINKING,
    On.BEFORE_FINAL: HintPosition.BEFORE_FINAL,
    On.TOOL_ERROR: HintPosition.AFTER_TOOL_ERROR,
    On.BUDGET: HintPosition.BUDGET,
    On.START: HintPosition.START,
    On.REPETITION: HintPosition.REPETITION,
}
_REGEX_CHARS = 400
"""Characters at the end of the thinking that a pattern is searched in."""
_DOUBT_CHARS = 300
"""Characters at the end of the thinking in which a word of doubt counts as recent."""
_MAX_DECISIONS = 64
"""Decisions kept in a trajectory; a model that says "Wait" a thousand times does not write a thousand of them."""


def _no_features(place: str) -> Features:
    """Where nothing but the occasion itself is known."""
    return {}


@dataclass(slots=True)
class Occasion:
    """What the rollout knows when it asks. ``tail`` is the end of the thinking so far."""

    on: On
    tail: str
    num_tokens: int
    """Tokens after the prompt."""
    max_tokens: int
    num_calls: int = 0
    calls_left: int = 1
    last_call_ok: bool | None = None
    """None before the first call."""
    last_output: str = ""
    """What the last call printed."""
    features: Callable[[str], Features] = _no_features
    """Place → its features (`selftaught.hints.features`), computed only when somebody asks."""


@dataclass(slots=True)
class HintChoice:
    """A hint to insert: its text begins right after ``tail`` and ends where the model goes on."""

    id: str
    function: str
    text: str
    position: HintPosition
    reason: str
    trigger: str | None
    round: int = 0
    is_round: bool = False
    before_line: bool = False
    """Take back the line that ``tail`` ends in; the text stands in its place."""

    def info(self, discarded: Sequence[int]) -> HintInfo:
        """As the hint's span keeps it; ``discarded`` are the sampled ids that it takes the place of."""
        return HintInfo(
            id=self.id,
            position=self.position,
            reason=self.reason,
            round=self.round,
            trigger=self.trigger,
            discarded_ids=list(discarded),
        )


@dataclass(slots=True)
class _Memory:
    """What a trajectory's policy remembers."""

    fired: dict[str, int] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    num_hints: int = 0
    num_rounds: int = 0
    last_hint_at: int = -(10**9)
    decisions: list[HintDecision] = field(default_factory=list)


class HintPolicy:
    """The rules for one trajectory and what they did so far."""

    def __init__(
        self,
        library: HintLibrary,
        policy: str,
        problem: Problem,
        *,
        seed: int = 0,
        sample: int = 0,
        rounds: int = 0,
        language: Language = "en",
        rules: Sequence[Rule] | None = None,
        keeps_features: bool = False,
    ) -> None:
        """``rules`` take the place of the named policy's; ``keeps_features`` adds to each decision what was known there."""
        self.keeps_features = keeps_features
        self.library, self.problem, self.language, self.rounds = library, problem, language, rounds
        wanted = library.policy(policy, problem.kind).rules if rules is None else rules
        self.rules = [rule for rule in wanted if self._cap(rule) > 0]
        self._key = f"{seed}\x00{problem.id}\x00{sample}"
        self._memory = _Memory()
        words = sorted({word for rule in self.rules for word in rule.words}, key=len, reverse=True)
        self.words: tuple[str, ...] = tuple(words)
        alternatives = "|".join(map(re.escape, words))
        self._word = re.compile(rf"(?<![A-Za-z])({alternatives})[,，]? ?$") if words else None
        self._doubt = [word.lower() for word in library.doubt_words.get(language, [])]

    def fork(self) -> HintPolicy:
        """An independent copy with the same memory."""
        twin = object.__new__(HintPolicy)
        twin.__dict__.update(self.__dict__)
        memory = self._memory
        twin._memory = _Memory(
            dict(memory.fired),
            dict(memory.seen),
            memory.num_hints,
            memory.num_rounds,
            memory.last_hint_at,
            list(memory.decisions),
        )
        return twin

    @property
    def decisions(self) -> list[HintDecision]:
        """Every decision so far, taken or not."""
        return self._memory.decisions

    @property
    def asks_scores(self) -> bool:
        """Whether decisions rest on how sure the model is at a place."""
        learned = self.library.learned
        return learned is not None and learned.features is not None and any(rule.place for rule in self.rules)

    def waits_for(self, on: On) -> bool:
        """True if some rule with calls left in its cap waits for this trigger."""
        return any(rule.when is on and self._memory.fired.get(rule.name, 0) < self._cap(rule) for rule in self.rules)

    def may_take_line(self) -> bool:
        """True if some rule with calls left may put its hint in the place of the line that is being written."""
        return any(rule.before_line and self._memory.fired.get(rule.name, 0) < self._cap(rule) for rule in self.rules)

    def word_at_end(self, tail: str) -> str | None:
        """The trigger word that ``tail`` ends with, with its comma."""
        match = self._word.search(tail) if self._word is not None else None
        return match[0] if match is not None else None

    def consider(self, occasion: Occasion) -> HintChoice | None:
        """The first rule that says yes, if any. Remembers what it says."""
        for rule in self.rules:
            if rule.when is not occasion.on:
                continue
            trigger = self._trigger(rule, occasion)
            if trigger is None:
                continue
            # Counted before any refusal. So the draw of the third occasion is the third whether or not the first two
            # were refused, and a changed gate or cap does not shift all later draws.
            ordinal = self._memory.seen.get(rule.name, 0)
            self._memory.seen[rule.name] = ordinal + 1
            refused = self._refusal(rule, occasion, ordinal)
            if refused is not None:
                self._record(rule, occasion, False, refused, trigger)
                continue
            learned = self._ask_learned(rule, occasion, ordinal)
            if learned is not None and learned.function is None:
                self._record(rule, occasion, False, learned.reason, trigger)
                continue
            return self._choose(rule, occasion, trigger, ordinal, learned)
        return None

    # ------------------------------------------------------------------------------------------------------ internals

    def _cap(self, rule: Rule) -> int:
        return self.rounds if rule.cap == "rounds" else rule.cap

    def _trigger(self, rule: Rule, occasion: Occasion) -> str | None:
        """What fired, or None if this rule's own condition does not hold."""
        if rule.when is On.WORD:
            matched = self.word_at_end(occasion.tail)
            return matched if matched is not None and matched.rstrip(" ,，") in rule.words else None
        if rule.when is On.REGEX:
            match = re.search(rule.pattern or "", occasion.tail[-_REGEX_CHARS:])
            return match[0] if match is not None else None
        if rule.when is On.BUDGET:
            return "" if occasion.num_tokens >= (rule.share or 0) * occasion.max_tokens else None
        return ""

    def _refusal(self, rule: Rule, occasion: Occasion, ordinal: int) -> str | None:
        memory = self._memory
        fired, cap = memory.fired.get(rule.name, 0), self._cap(rule)
        if fired >= cap:
            return f"cap of {cap} reached"
        if occasion.calls_left <= 0:
            return "no calls left"
        if occasion.num_tokens < rule.not_before_tokens:
            return f"{occasion.num_tokens} tokens, not before {rule.not_before_tokens}"
        if occasion.num_tokens - memory.last_hint_at < rule.cooldown_tokens:
            return f"cooldown of {rule.cooldown_tokens} tokens"
        for gate in rule.unless:
            if self._holds(gate, occasion):
                return f"unless {gate.value}"
        for gate in rule.only_if:
            if not self._holds(gate, occasion):
                return f"not {gate.value}"
        if rule.probability < 1.0:
            drawn = self._draw(rule, ordinal, "fire")
            if drawn >= rule.probability:
                return f"drew {drawn:.3f}, needed < {rule.probability:g}"
        return None

    def _holds(self, gate: Gate, occasion: Occasion) -> bool:
        if gate is Gate.HINTED:
            return self._memory.num_hints > 0
        if gate is Gate.CALLED:
            return occasion.num_calls > 0
        if gate is Gate.VERIFIED:
            return occasion.last_call_ok is True
        if gate is Gate.PASSED:
            return occasion.last_call_ok is True and set(occasion.last_output.split()) == {"True"}
        if gate is Gate.FAILED:
            return occasion.last_call_ok is False
        recent = occasion.tail[-_DOUBT_CHARS:].lower()
        return any(word in recent for word in self._doubt)

    def _ask_learned(self, rule: Rule, occasion: Occasion, ordinal: int) -> LearnedChoice | None:
        """What the learned policy chooses here; None for a rule that asks none."""
        if rule.choose != "learned" or rule.place is None or self.library.learned is None:
            return None
        key = f"{self._key}\x00{ordinal}"
        features = occasion.features(rule.place)
        return choose(self.library.learned, self.problem.kind, rule.place, level_of(self.problem), features, key)

    def _choose(
        self, rule: Rule, occasion: Occasion, trigger: str, ordinal: int, learned: LearnedChoice | None = None
    ) -> HintChoice:
        memory = self._memory
        fired = memory.fired.get(rule.name, 0)
        function = (learned.function if learned is not None else None) or self._pick_function(rule, fired, ordinal)
        spec = self.library.functions[function]
        paraphrases = spec.paraphrases(self.language)
        index = min(int(self._draw(rule, ordinal, "text") * len(paraphrases)), len(paraphrases) - 1)
        language = self.language if paraphrases is getattr(spec, self.language) else "en"
        words = paraphrases[index]
        at_end = rule.when in (On.END_OF_THINKING, On.BEFORE_FINAL)
        if spec.template:
            text = self._joint(rule, occasion, "") + render_debug(self.problem, self.library, self.language, words)
        else:
            lead = rule.lead.get(self.language)
            text = (
                self._joint(rule, occasion, words)
                + lead
                + words
                + (self.library.fence if spec.opens == "python" else "")
            )
        drawn = (
            "" if rule.probability >= 1 else f", drew {self._draw(rule, ordinal, 'fire'):.3f} < {rule.probability:g}"
        )
        fired_by = f"{rule.when.value} {trigger.strip()!r}" if trigger.strip() else rule.when.value
        chosen = learned.reason if learned is not None else f"{rule.choose} {function}"
        reason = f"{rule.name}: {fired_by}, occasion {ordinal + 1}{drawn}, {chosen}"
        memory.fired[rule.name] = fired + 1
        memory.num_hints += 1
        memory.last_hint_at = occasion.num_tokens
        if at_end:
            memory.num_rounds += 1
        self._record(rule, occasion, True, reason, trigger)
        return HintChoice(
            id=hint_id(function, language, index),
            function=function,
            text=text,
            position=HintPosition.BEFORE_LINE if rule.before_line else _POSITIONS[rule.when],
            reason=reason,
            trigger=trigger or None,
            round=memory.num_rounds if at_end else 0,
            is_round=rule.cap == "rounds",
            before_line=rule.before_line,
        )

    def _pick_function(self, rule: Rule, fired: int, ordinal: int) -> str:
        if rule.choose == "scheduled":
            return rule.hints[min(fired, len(rule.hints) - 1)]
        drawn = self._draw(rule, ordinal, "function")
        if rule.choose == "weighted" and rule.weights:
            point = drawn * sum(rule.weights.values())
            for hint in rule.hints:
                point -= rule.weights[hint]
                if point < 0:
                    return hint
            return rule.hints[-1]
        return rule.hints[min(int(drawn * len(rule.hints)), len(rule.hints) - 1)]

    def _joint(self, rule: Rule, occasion: Occasion, words: str) -> str:
        """What joins the hint to the text before it.

        After a trigger word the hint goes on with its sentence ("Wait" → "Wait, maybe …"), unless the model has written
        the comma or a blank itself. Everywhere else it is a paragraph of its own.
        """
        tail = occasion.tail
        if rule.before_line:
            return ""
        if rule.when is On.WORD:
            if tail.endswith((",", "，")):
                return " " if tail.endswith(",") else ""
            if tail.endswith((" ", "\n")):
                return ""
            return ", " if tail[-1:].isascii() else "，"
        if rule.when is On.REGEX:
            return "" if words.startswith(" ") or tail.endswith((" ", "\n")) else " "
        return "" if not tail or tail.endswith("\n") else "\n\n"

    def _draw(self, rule: Rule, ordinal: int, purpose: str) -> float:
        """A number in [0, 1), hashed from what it is drawn for: there is no generator whose state a resume could
        lose.
        """
        words = f"{self._key}\x00{rule.name}\x00{ordinal}\x00{purpose}".encode()
        return int.from_bytes(hashlib.blake2b(words, digest_size=7).digest(), "big") / 2**56

    def _record(self, rule: Rule, occasion: Occasion, taken: bool, reason: str, trigger: str) -> None:
        if len(self._memory.decisions) < _MAX_DECISIONS:
            self._memory.decisions.append(
                HintDecision(
                    rule=rule.name,
                    at_token=occasion.num_tokens,
                    taken=taken,
                    reason=reason,
                    trigger=trigger.strip() or None,
                    features=occasion.features(place_named(rule)) if self.keeps_features else None,
                )
            )


def place_named(rule: Rule) -> str:
    """How features call the place of a rule: as a learned policy does, else by its trigger."""
    if rule.place is not None:
        return rule.place
    if rule.when in (On.END_OF_THINKING, On.BEFORE_FINAL):
        return "end"
    return "conclusion" if rule.before_line else rule.when.value
