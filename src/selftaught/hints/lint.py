"""What a valid hint library may still get wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator

from selftaught.hints.functions import LANGUAGES
from selftaught.hints.library import HintLibrary, On, hint_id


def lint_library(library: HintLibrary) -> Iterator[str]:
    """Findings, one line each: what, where, what to do."""
    used = {hint for policy in library.policies.values() for rule in policy.rules for hint in rule.hints}
    after_words = {
        hint
        for policy in library.policies.values()
        for rule in policy.rules
        if rule.when is On.WORD
        for hint in rule.hints
    }
    words = {word for policy in library.policies.values() for rule in policy.rules for word in rule.words}
    seen: dict[str, str] = {}
    for name, function in library.functions.items():
        if name not in used:
            yield f"functions.{name}: no policy uses it; name it in a rule or remove it"
        for language in LANGUAGES:
            for index, text in enumerate(getattr(function, language)):
                place = hint_id(name, language, index)
                folded = re.sub(r"\s+", " ", text).strip().lower()
                if folded in seen:
                    yield f"{place}: the same words as {seen[folded]}; a paraphrase should differ"
                seen[folded] = place
                yield from _lint_text(place, text, name in after_words, words)
    for name, policy in library.policies.items():
        for rule in policy.rules:
            if rule.probability == 0.0 or rule.cap == 0:
                yield f"policies.{name}.{rule.name}: can never fire (probability {rule.probability:g}, cap {rule.cap})"
            if rule.weights is not None and rule.choose != "weighted":
                yield f"policies.{name}.{rule.name}: has weights but chooses {rule.choose}; say choose: weighted"
            if rule.when is On.REGEX and not (rule.pattern or "").rstrip(")").endswith(("$", "\\Z")):
                yield f"policies.{name}.{rule.name}: the pattern does not end with $; it would fire again on old text"


def _lint_text(place: str, text: str, follows_word: bool, words: set[str]) -> Iterator[str]:
    if not text.strip():
        yield f"{place}: empty; remove it"
    if "```" in text:
        yield f"{place}: holds a fence; the library's fence is added by itself (opens: python)"
    if re.search(r"</?think>|<\|", text):
        yield f"{place}: holds a control string; it would stand there as plain text"
    if follows_word and any(text.lstrip().lower().startswith(word.lower()) for word in words if word.isascii()):
        yield f"{place}: begins with a trigger word; a maths hint continues the sentence that the word opened"
    if follows_word and text[:1].isascii() and text[:1].isupper() and not re.match(r"(I|Python)\b", text):
        yield f"{place}: begins with a capital; a maths hint continues a sentence"
