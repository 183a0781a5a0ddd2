"""The hint library as checked records: `load_library` reads ``library.yaml`` or a user's own file.

A library holds *functions* (what a hint is for, with paraphrases by language), the parts of the *debug* hint, and
*policies* (START section 2.1: where a hint goes). A user's file may hold any of the three; what it leaves out is taken
from the built-in library, so adding one hint or one policy is a file of a few lines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from difflib import get_close_matches
from enum import StrEnum
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from selftaught.complaints import complaint
from selftaught.errors import ConfigError
from selftaught.hints.functions import LANGUAGES, HintFunction, Language, Strict
from selftaught.hints.learned import LearnedHints, read_learned
from selftaught.hints.places import LEARNED, learned_policies
from selftaught.overrides import parse_mapping, read_mapping
from selftaught.records import ProblemKind


class Localised(Strict):
    """One text by language."""

    en: str = ""
    zh: str | None = None

    def get(self, language: Language) -> str:
        """In ``language``, or in English."""
        return self.zh if language == "zh" and self.zh is not None else self.en


class JoinedBy(Strict):
    """How a list of samples is joined: between all, and before the last."""

    en: tuple[str, str] = (", ", " and ")
    zh: tuple[str, str] | None = None


class DebugTemplate(Strict):
    """A kind of template: ``template`` is the block, ``check`` one line of it, ``sample`` how a sample is recalled."""

    template: str
    check: str
    sample: str


class DebugSpec(Strict):
    """The parts of the debug hint after its opening sentence."""

    max_samples: int = Field(default=3, ge=0)
    max_sample_chars: int = Field(default=600, ge=1)
    template_is: Localised = Localised(en=" The template is")
    samples_are: Localised
    no_samples: Localised
    joined_by: JoinedBy = JoinedBy()
    function: DebugTemplate
    starter: DebugTemplate
    stdin: DebugTemplate


class On(StrEnum):
    """What a rule waits for."""

    WORD = "word"
    REGEX = "regex"
    PARAGRAPH = "paragraph"
    END_OF_THINKING = "end_of_thinking"
    BEFORE_FINAL = "before_final"
    TOOL_ERROR = "tool_error"
    BUDGET = "budget"
    START = "start"
    """Before the first token."""
    REPETITION = "repetition"
    """Where the trajectory would end because the model goes round in circles."""


class Gate(StrEnum):
    """Conditions on the trajectory so far, for ``unless`` and ``only_if``."""

    HINTED = "hinted"
    """Some hint was inserted."""
    CALLED = "called"
    """Python was called."""
    VERIFIED = "verified"
    """The last call ran without error and printed something."""
    PASSED = "passed"
    """The last call printed nothing but ``True``: every sample case of the debug hint's template passes."""
    FAILED = "failed"
    """The last call did not run to its end."""
    UNSURE = "unsure"
    """A word of doubt stands in the last 300 characters."""


class Rule(Strict):
    """One rule of a policy. All draws come from (seed, problem, sample, rule, occasion)."""

    name: str
    when: On
    words: list[str] = Field(default_factory=list)
    """For ``word``: matched with their case, as whole words."""
    pattern: str | None = None
    """For ``regex``: searched in the last 400 characters of thinking after every token, so end it with ``$``."""
    before_line: bool = False
    """For ``regex``: the line in which it fires is taken back, so that the hint stands before it. For conclusions and
    boxes."""
    share: float | None = Field(default=None, gt=0, lt=1)
    """For ``budget``: fires at the first line end past this share of the token budget."""
    hints: list[str] = Field(min_length=1)
    """Functions to choose from."""
    choose: Literal["random", "weighted", "scheduled", "learned"] = "random"
    """``learned``: what the library's learned policy chooses at ``place``, which may be no hint."""
    place: str | None = None
    weights: dict[str, float] | None = None
    probability: float = Field(default=1.0, ge=0, le=1)
    cap: int | Literal["rounds"] = 1
    """Most hints of this rule in a trajectory; ``rounds`` is the run's number of rounds."""
    cooldown_tokens: int = Field(default=0, ge=0)
    """Tokens since the last hint of any rule."""
    not_before_tokens: int = Field(default=0, ge=0)
    lead: Localised = Localised()
    """Put before the words, such as ``Wait, `` at the end of thinking."""
    unless: list[Gate] = Field(default_factory=list)
    only_if: list[Gate] = Field(default_factory=list)

    @model_validator(mode="after")
    def _check(self) -> Rule:
        needs = {On.WORD: ("words", self.words), On.REGEX: ("pattern", self.pattern), On.BUDGET: ("share", self.share)}
        if self.when in needs and not needs[self.when][1]:
            raise ValueError(f"rule {self.name!r} waits for {self.when.value!r} and needs {needs[self.when][0]!r}")
        if self.before_line and self.when is not On.REGEX:
            raise ValueError(f"rule {self.name!r} has before_line, which needs 'when: regex'")
        if self.choose == "weighted" and set(self.weights or {}) != set(self.hints):
            raise ValueError(f"rule {self.name!r} chooses by weight and needs one weight for each of its hints")
        if (self.choose == "learned") != (self.place is not None):
            raise ValueError(f"rule {self.name!r}: 'choose: learned' and a place go together, in files of hints learn")
        if isinstance(self.cap, int) and self.cap < 0:
            raise ValueError(f"rule {self.name!r} has cap {self.cap}; expected 0 or more")
        if self.pattern is not None:
            try:
                re.compile(self.pattern)
            except re.error as error:
                raise ValueError(f"rule {self.name!r} has a bad pattern: {error}") from None
        return self


class Policy(Strict):
    """A list of rules, or another policy for each kind of problem."""

    purpose: str = ""
    since: int = Field(default=1, ge=1)
    """Version of the built-in library that it came with. Later ones leave the digest of runs with other policies
    alone."""
    rules: list[Rule] = Field(default_factory=list)
    by_kind: dict[ProblemKind, str] | None = None


class HintLibrary(Strict):
    """Functions, debug parts and policies."""

    version: Literal[1] = 1
    name: str = "custom"
    fence: str = "\n```python\n"
    functions: dict[str, HintFunction]
    debug: DebugSpec
    doubt_words: dict[Language, list[str]] = Field(default_factory=dict)
    policies: dict[str, Policy]
    learned: LearnedHints | None = None
    """What rules with ``choose: learned`` ask; only in the library of a learned policy's file."""

    @model_validator(mode="after")
    def _check(self) -> HintLibrary:
        if not self.fence.endswith("```python\n") or not self.fence.startswith("\n"):
            raise ValueError(
                f"fence is {self.fence!r}; expected it to start with a newline and end with '```python\\n'"
            )
        for name, policy in self.policies.items():
            if self.learned is None and any(rule.choose == "learned" for rule in policy.rules):
                raise ValueError(f"policy {name!r} has 'choose: learned'; only files of hints learn can have that")
            for rule in policy.rules:
                unknown = [hint for hint in rule.hints if hint not in self.functions]
                if unknown:
                    raise ValueError(
                        f"policy {name!r}, rule {rule.name!r}: unknown hint {unknown[0]!r}; known: {', '.join(self.functions)}"
                    )
            names = [rule.name for rule in policy.rules]
            if len(set(names)) != len(names):
                raise ValueError(f"policy {name!r} has two rules of one name")
            for kind, target in (policy.by_kind or {}).items():
                if target not in self.policies or self.policies[target].by_kind:
                    raise ValueError(f"policy {name!r} sends {kind} to {target!r}, which is not a policy with rules")
        return self

    def policy(self, name: str, kind: ProblemKind) -> Policy:
        """The policy ``name`` for problems of ``kind``; ConfigError if there is none."""
        found = self.policies.get(name)
        if found is None:
            raise self.unknown_policy(name)
        if found.by_kind is not None:
            target = found.by_kind.get(kind)
            return self.policies[target] if target else Policy(purpose="no hints for this kind")
        return found

    def unknown_policy(self, name: str) -> ConfigError:
        """The error for a policy that is not here, with what was probably meant."""
        near = get_close_matches(name, self.policies, n=2)
        meant = f" Did you mean {' or '.join(near)}?" if near else ""
        known = ", ".join(self.policies)
        return ConfigError(f"hints: no policy {name!r}; expected one of {known}, or a YAML file[:policy].{meant}")

    def content(self, policy: str) -> str:
        """What decides the trajectories of a run with ``policy``, as JSON, for a digest.

        It is the whole library without those policies that came later and are not used, and without fields at the
        defaults that came later. So the digests of older runs stay what they were.
        """
        content = self.model_dump(mode="json")
        used = {policy, *(self.policies[policy].by_kind or {}).values()} if policy in self.policies else {policy}
        content["policies"] = {
            name: one for name, one in content["policies"].items() if one["since"] == 1 or name in used
        }
        if self.learned is None:
            del content["learned"]
        for one in content["policies"].values():
            del one["since"]
            for rule in one["rules"]:
                if not rule["before_line"]:
                    del rule["before_line"]
                if rule["place"] is None:
                    del rule["place"]
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"))

    def texts(self) -> Iterator[tuple[str, str]]:
        """Every (id, text) that this library can put into a trajectory, without fences and filled-in samples."""
        for name, function in self.functions.items():
            for language in LANGUAGES:
                for index, text in enumerate(getattr(function, language)):
                    yield hint_id(name, language, index), text
        for part in ("template_is", "samples_are", "no_samples"):
            for language in LANGUAGES:
                text = getattr(getattr(self.debug, part), language)
                if text:
                    yield f"debug.{part}/{language}", text


def hint_id(function: str, language: str, index: int) -> str:
    """``general/en/0``: the first English paraphrase of a function."""
    return f"{function}/{language}/{index}"


_WHAT = "a hint library in YAML, with functions, debug or policies"


def builtin_text() -> str:
    """The built-in library's YAML."""
    return resources.files("selftaught.hints").joinpath("library.yaml").read_text("utf-8")


@lru_cache(maxsize=1)
def _builtin() -> dict[str, Any]:
    return parse_mapping(builtin_text(), "library.yaml", _WHAT)


def load_library(path: str | Path | None = None) -> HintLibrary:
    """The built-in library, or a file laid over it: YAML, or JSON of ``hints learn``.

    ConfigError names the file and the place of a mistake.
    """
    base = _builtin()
    if path is None:
        return _validate(base, "library.yaml")
    path = Path(path)
    if path.suffix == ".json":
        return _learned_library(base, path)
    own = read_mapping(path, _WHAT)
    merged = {**base, "name": path.stem, **own}
    for part in ("functions", "policies", "doubt_words", "debug"):
        if isinstance(own.get(part), dict):
            merged[part] = {**base[part], **own[part]}
    return _validate(merged, str(path))


def _learned_library(base: dict[str, Any], path: Path) -> HintLibrary:
    """The built-in library with the words that a learned policy was learned with, and with its policy."""
    learned = read_learned(path)
    functions = {name: one.model_dump() for name, one in learned.functions.items()}
    merged = {
        **base,
        "name": path.stem,
        "functions": {**base["functions"], **functions},
        "policies": {**base["policies"], **learned_policies(learned, base["policies"])},
        "learned": learned,
    }
    return _validate(merged, str(path))


def _validate(value: dict[str, Any], where: str) -> HintLibrary:
    try:
        return HintLibrary.model_validate(value)
    except ValidationError as error:
        raise ConfigError(f"{where}: {complaint(error, HintLibrary.model_fields, whole='the library')}") from None


def split_name(hints: str) -> tuple[Path | None, str]:
    """``auto`` → (None, "auto"); ``my.yaml:early`` → (my.yaml, "early"); ``my.yaml`` → (my.yaml, its only policy).

    A ``.json`` file is a learned policy. A YAML file that brings no policy of its own, or its own ``auto``, means ``auto``. ConfigError when it brings several.
    """
    file, _, policy = hints.partition(":")
    if file.endswith((".yaml", ".yml")):
        return Path(file), policy or _default_policy(Path(file))
    if file.endswith(".json"):
        return Path(file), policy or LEARNED
    return None, hints


def _default_policy(path: Path) -> str:
    try:
        own = parse_mapping(path.read_text("utf-8"), str(path), _WHAT).get("policies")
    except (OSError, UnicodeDecodeError):
        return "auto"  # `load_library` says what is wrong with the file
    names = [str(name) for name in own] if isinstance(own, dict) else []
    if not names or "auto" in names:
        return "auto"
    if len(names) > 1:
        raise ConfigError(f"{path} has the policies {', '.join(names)}; say which: {path}:{names[0]}.")
    return names[0]
