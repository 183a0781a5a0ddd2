"""``selftaught hints``: show and check hint libraries, and learn from forks where which hint helps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selftaught.cli import hints_learned, hints_probe

if TYPE_CHECKING:
    from selftaught.hints import HintLibrary
    from selftaught.hints.functions import HintFunction
    from selftaught.hints.library import Policy, Rule


def register(app: typer.Typer) -> None:
    """Add the group."""
    hints = typer.Typer(help="Show and check hint libraries; learn where hints help.", no_args_is_help=True)
    app.add_typer(hints, name="hints")
    hints.command(name="lint")(lint)
    hints.command(name="show")(show)
    hints.command(name="probe")(hints_probe.probe)
    hints.command(name="pair")(hints_probe.pair)
    hints.command(name="uplift")(hints_learned.uplift)
    hints.command(name="learn")(hints_learned.learn)
    hints.command(name="explain")(hints_learned.explain)
    hints.command(name="harvest")(hints_learned.harvest)


def lint(
    file: Annotated[Path | None, typer.Argument(help="A library in YAML; the built-in one by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Check a library: schema first (exit 2), then what is allowed but unwise (exit 1).

    Example: selftaught hints lint my-hints.yaml
    """
    from selftaught.errors import IncompleteError
    from selftaught.hints.library import load_library
    from selftaught.hints.lint import lint_library

    library = load_library(file)
    findings = list(lint_library(library))
    if as_json:
        print(
            json.dumps(
                {"library": library.name, "functions": len(library.functions), "findings": findings},
                ensure_ascii=False,
            )
        )
    else:
        for finding in findings:
            print(finding)
        num_texts = sum(1 for _ in library.texts())
        parts = {"functions": len(library.functions), "texts": num_texts, "policies": len(library.policies)}
        print(
            f"{library.name}: " + ", ".join(f"{n} {what}" for what, n in parts.items()) + f", {len(findings)} findings"
        )
    if findings:
        raise IncompleteError(f"{file or 'library.yaml'}: {len(findings)} findings; the first: {findings[0]}")


def show(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME|FILE[:NAME]]", help="A policy, a hint, a library in YAML, or one policy of it. Default: all."
        ),
    ] = None,
    language: Annotated[str, typer.Option(help="en or zh")] = "en",
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Hints and policies: what they say, and where, how likely, how often and under which conditions.

    Examples: selftaught hints show · selftaught hints show math · selftaught hints show my-hints.yaml:mine
    """
    from selftaught.errors import ConfigError
    from selftaught.hints.library import load_library

    if language not in ("en", "zh"):
        raise ConfigError(f"--language is {language!r}; expected en or zh.")
    file, name = _split(what)
    library = load_library(file)
    if name is not None and name not in library.policies and name not in library.functions:
        raise library.unknown_policy(name)
    if as_json:
        print(_json(library, name))
        return
    lines = [
        line
        for key, function in library.functions.items()
        if name in (None, key)
        for line in _function(key, function, language)
    ]
    if name is None:
        lines.append("")
    chosen = [name] if name in library.policies else [] if name else list(library.policies)
    for key in chosen:
        lines += _policy(library, key, with_kinds=name is not None)
    print("\n".join(lines))


def _split(what: str | None) -> tuple[Path | None, str | None]:
    """(library file, name) of the argument; either may be left out."""
    file, _, name = (what or "").partition(":")
    if file.endswith((".yaml", ".yml", ".json")):
        return Path(file), name or None
    return None, what


def _json(library: HintLibrary, name: str | None) -> str:
    part = library.policies.get(name) or library.functions[name] if name is not None else library
    return part.model_dump_json(indent=2)


def _function(name: str, function: HintFunction, language: str) -> Iterator[str]:
    yield f"{name}: {function.purpose}"
    for text in function.paraphrases("zh" if language == "zh" else "en"):
        yield f"    {text.strip()}"


def _policy(library: HintLibrary, name: str, *, with_kinds: bool) -> Iterator[str]:
    policy: Policy = library.policies[name]
    yield f"policy {name}: {policy.purpose}"
    for rule in policy.rules:
        yield f"    {rule.name}: {_where(rule)} -> {', '.join(rule.hints)}"
        for detail in _details(rule):
            yield f"        {detail}"
    for kind, target in (policy.by_kind or {}).items():
        yield f"    {kind.value}: {target}"
    if with_kinds:
        for target in dict.fromkeys((policy.by_kind or {}).values()):
            yield from _policy(library, target, with_kinds=False)


def _where(rule: Rule) -> str:
    spots = {"word": ", ".join(rule.words), "regex": rule.pattern or "", "budget": f"{rule.share or 0:.0%}"}
    return f"{rule.when.value} {spots.get(rule.when.value, '')}".strip()


def _details(rule: Rule) -> Iterator[str]:
    """How likely, how often, under which conditions, how chosen; only what differs from the plain case."""
    often = "the run's --rounds" if rule.cap == "rounds" else f"{rule.cap} a trajectory"
    parts = [f"probability {rule.probability:g}", f"at most {often}"]
    if rule.cooldown_tokens:
        parts.append(f"{rule.cooldown_tokens} tokens after the last hint")
    if rule.not_before_tokens:
        parts.append(f"not before token {rule.not_before_tokens}")
    yield ", ".join(parts)
    for title, gates in (("unless", rule.unless), ("only if", rule.only_if)):
        if gates:
            yield f"{title} {', '.join(gate.value for gate in gates)}"
    if rule.choose == "weighted":
        yield "weights " + ", ".join(f"{hint} {weight:g}" for hint, weight in (rule.weights or {}).items())
    elif len(rule.hints) > 1:
        yield _CHOICE[rule.choose]


_CHOICE = {
    "random": "one at random",
    "scheduled": "in this order, the last repeats",
    "learned": "as learned, or none; selftaught hints explain FILE.json says which",
}
