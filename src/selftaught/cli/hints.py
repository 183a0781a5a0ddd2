"""``selftaught hints``: show and check hint libraries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the group."""
    hints = typer.Typer(help="Show and check hint libraries.", no_args_is_help=True)
    app.add_typer(hints, name="hints")

    @hints.command(name="lint")
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
                f"{library.name}: "
                + ", ".join(f"{n} {what}" for what, n in parts.items())
                + f", {len(findings)} findings"
            )
        if findings:
            raise IncompleteError(f"{file or 'library.yaml'}: {len(findings)} findings; the first: {findings[0]}")

    @hints.command(name="show")
    def show(
        file: Annotated[Path | None, typer.Argument(help="A library in YAML; the built-in one by default.")] = None,
        language: Annotated[str, typer.Option(help="en or zh")] = "en",
        as_json: Annotated[bool, typer.Option("--json")] = False,
    ) -> None:
        """Every hint and every policy, with what they are for."""
        from selftaught.hints.library import load_library

        library = load_library(file)
        if as_json:
            print(library.model_dump_json(indent=2))
            return
        for name, function in library.functions.items():
            print(f"{name}: {function.purpose}")
            for text in function.paraphrases("zh" if language == "zh" else "en"):
                print(f"    {text.strip()}")
        print()
        for name, policy in library.policies.items():
            print(f"policy {name}: {policy.purpose}")
            for rule in policy.rules:
                print(f"    {rule.name}: {rule.when.value} {', '.join(rule.words)} -> {', '.join(rule.hints)}")
            for kind, target in (policy.by_kind or {}).items():
                print(f"    {kind.value}: {target}")
