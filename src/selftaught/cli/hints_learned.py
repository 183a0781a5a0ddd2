"""``selftaught hints uplift``, ``learn``, ``explain`` and ``harvest``: what forks say of hints, and what is made of it."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

_RUN = typer.Argument(metavar="RUN", help="Folder of a probe, or of a run with probes.", show_default=False)


class Design(StrEnum):
    """What is learned."""

    A = "a"
    B = "b"
    AUTO = "auto"


class Part(StrEnum):
    """Problems to learn from."""

    FIRST = "first"
    SECOND = "second"
    ALL = "all"


def uplift(
    run: Annotated[Path, _RUN],
    by: Annotated[
        str, typer.Option(help="What rows are split by, by commas: hint, place, kind, difficulty.")
    ] = "hint,place,kind",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """What each hint gains, loses and costs, from forks of one prefix, with intervals and exact tests.

    Verdicts are corrected for the number of rows; "too few pairs to say" where it is so. Example: selftaught hints uplift runs/probe
    """
    from selftaught.errors import ConfigError
    from selftaught.uplift.tables import KEYS, read_forks, uplift_table
    from selftaught.uplift.words import table_lines

    keys = [key.strip() for key in by.split(",") if key.strip()]
    if not keys or set(keys) - set(KEYS) or len(set(keys)) < len(keys):
        raise ConfigError(f"--by is {by!r}; expected some of {', '.join(KEYS)}, each once, by commas.")
    table = uplift_table(read_forks(run), name=run.name, by=keys)
    print(table.model_dump_json(indent=2) if as_json else "\n".join(table_lines(table)))


def learn(
    run: Annotated[Path, _RUN],
    out: Annotated[Path, typer.Option("--out", help="File for the policy, FILE.json.", show_default=False)],
    design: Annotated[
        Design,
        typer.Option(help="a: posteriors by kind and place. b: a regression over features. auto: the better one."),
    ] = Design.AUTO,
    part: Annotated[
        Part, typer.Option("--on", help="Half of the problems to learn from; the other half reports. Or all.")
    ] = Part.FIRST,
    loss_weight: Annotated[float, typer.Option(min=0, help="Gains that one loss undoes.")] = 2.0,
    token_cost: Annotated[float, typer.Option(min=0, help="Gains that twice the tokens undo.")] = 0.1,
    max_loss: Annotated[
        float, typer.Option(min=0.001, max=1, help="Share of the places that a hint may break.")
    ] = 0.02,
    loss_risk: Annotated[
        float, typer.Option(min=0.001, max=1, help="A hint is barred unless P(it breaks more) is below this.")
    ] = 0.1,
    thompson: Annotated[
        bool, typer.Option("--thompson", help="Design a: one draw from each posterior, to go on exploring.")
    ] = False,
    library: Annotated[
        Path | None, typer.Option(help="Library in YAML that the probe's hints came from.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was learned as JSON.")] = False,
) -> None:
    """Learn from forks where which hint helps: a policy that --hints FILE.json takes.

    With too few pairs it writes the paper's policy and says so. Example: selftaught hints learn runs/probe --out policy.json
    """
    from selftaught.errors import ConfigError
    from selftaught.hints.learned import Utility
    from selftaught.hints.library import load_library
    from selftaught.store import write_json
    from selftaught.uplift.learn import LearnSettings
    from selftaught.uplift.learn import learn as learn_policy
    from selftaught.uplift.tables import read_forks
    from selftaught.uplift.words import learned_lines, summary

    if out.suffix != ".json":
        raise ConfigError(f"--out is {str(out)!r}; expected a file that ends in .json, as --hints takes it.")
    utility = Utility(loss_weight=loss_weight, token_cost=token_cost, max_loss=max_loss, loss_risk=loss_risk)
    settings = LearnSettings(design.value, utility, "thompson" if thompson else "mean", part.value)
    found = learn_policy(read_forks(run), load_library(library).functions, settings)
    try:
        write_json(out, found.policy.model_dump(mode="json"))
    except OSError as error:
        raise ConfigError(f"--out {out} cannot be written ({error.strerror}); name a file that can be.") from None
    if as_json:
        print(json.dumps(summary(found), ensure_ascii=False, indent=2))
    else:
        print("\n".join(learned_lines(found)))
    print(f"use it with --hints {out}", file=sys.stderr)


def explain(
    file: Annotated[Path, typer.Argument(metavar="FILE.json", help="A learned policy.", show_default=False)],
) -> None:
    """What a learned policy does at each place, in words, and what it was learned from.

    Example: selftaught hints explain policy.json
    """
    from selftaught.hints.learned import read_learned
    from selftaught.uplift.words import explanation

    print("\n".join(explanation(read_learned(file))))


def harvest(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder of a run with graded trajectories.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", help="File for the library, FILE.yaml.", show_default=False)],
    condition: Annotated[
        str | None, typer.Option(help="Only trajectories of this condition, such as start-0.", show_default=False)
    ] = None,
    fewest_problems: Annotated[int, typer.Option(min=1, help="Problems that a hint must have come from.")] = 3,
    most: Annotated[int, typer.Option(min=1, help="Most hints to keep.")] = 8,
    library: Annotated[
        Path | None, typer.Option(help="Library in YAML whose hints are known already.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Hints that the model makes itself: what it writes before code in right trajectories, as a library with a policy.

    No text of a problem gets into a hint. Example: selftaught hints harvest runs/demo --condition start-0 --out made.yaml
    """
    import yaml

    from selftaught.errors import ConfigError, IncompleteError
    from selftaught.hints.library import load_library
    from selftaught.store import write_atomic
    from selftaught.uplift.harvest import as_library, harvest_run

    if out.suffix not in (".yaml", ".yml"):
        raise ConfigError(f"--out is {str(out)!r}; expected a file that ends in .yaml, as --hints takes it.")
    known = load_library(library)
    found, model = harvest_run(run, known, condition, fewest_problems=fewest_problems, most=most)
    if as_json:
        made = [{"text": one.text, "times": one.count, "problems": len(one.problems)} for one in found.clusters]
        told = {"sentences": found.num_sentences, "hints": made, "refused": found.refused, "known": found.known}
        print(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        print(f"{found.num_sentences:,} sentences before code in right trajectories ({model})")
        print("\n".join(f"  {one.count:,} times, {len(one.problems):,} problems: {one.text}" for one in found.clusters))
        for what, counts in (("in the library already", found.known), ("refused", found.refused)):
            print(f"{what}: " + (", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"))
    if not found.clusters:
        raise IncompleteError(f"{run}: no new hint in {found.num_sentences:,} sentences; {out} was not written.")
    text = yaml.safe_dump(as_library(found, model), allow_unicode=True, sort_keys=False, width=120)
    try:
        write_atomic(out, [text.encode()])
    except OSError as error:
        raise ConfigError(f"--out {out} cannot be written ({error.strerror}); name a file that can be.") from None
    print(f"use it with --hints {out}:made, or probe its hints against the library's", file=sys.stderr)
