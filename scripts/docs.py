"""Write what the docs take from the program, so that they cannot drift; ``--check`` only compares.

- ``docs/cli.md``: every verb, from its own help.
- The keys of a recipe in ``docs/recipes.md``, between two marker comments, from the settings' own classes.
- The results in ``README.md`` and ``docs/real-model.md``, between marker comments, from ``docs/results.json`` (the demo)
  and ``docs/real-model.json``; those of earlier real runs, which no command changes, from the JSON beside their pages.
  Each is the summary of one ``report.json``, taken over by ``scripts/docs.py --results`` or ``--real RUN/report.json``; no
  number is typed by hand.

``make docs`` then builds the pages as a site (``mkdocs.yml``).
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CLI_PAGE = ROOT / "docs" / "cli.md"
README = ROOT / "README.md"
RESULTS = ROOT / "docs" / "results.json"
RECIPES = ROOT / "docs" / "recipes.md"
REAL_RESULTS = ROOT / "docs" / "real-model.json"
REAL_PAGE = ROOT / "docs" / "real-model.md"

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
REAL_BEGIN, REAL_END = "<!-- real results: begin -->", "<!-- real results: end -->"
REAL_MORE_BEGIN, REAL_MORE_END = "<!-- real details: begin -->", "<!-- real details: end -->"
KEYS_BEGIN, KEYS_END = "<!-- recipe keys: begin -->", "<!-- recipe keys: end -->"

CONDITIONS = ("base", "base+hint", "base-rft", "start-0", "start", "start+hint", "start-no-tools")
BENCHMARKS = ("all", "hard", "easy", "code", "choice", "gsm8k", "math500", "humaneval")
KEPT_PROVENANCE = ("git_commit", "git_dirty", "seeds", "hardware", "sandbox_tier", "grader", "config_digest")

REAL_RUN = "selftaught run recipes/qwen2.5-coder-0.5b.yaml"

RUN_THE_DEMO = f"""{BEGIN}
*No run has been recorded yet: `make demo` makes the table on your machine in minutes.*
{END}"""


def main() -> int:
    """Write the pages, or with ``--check`` say which of them are stale and return 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 when a page is stale")
    parser.add_argument("--results", type=Path, metavar="REPORT_JSON", help="take the README's results over from it")
    parser.add_argument("--real", type=Path, metavar="REPORT_JSON", help="take the real model's results over from it")
    options = parser.parse_args()
    if options.results:
        RESULTS.write_text(json.dumps(summary(json.loads(options.results.read_text())), indent=2) + "\n")
    if options.real:
        report = with_short_names(json.loads(options.real.read_text()))
        command = {"command": without_places(report.get("provenance", {}).get("command") or REAL_RUN)}
        REAL_RESULTS.write_text(json.dumps({**summary(report), **details(report), **command}, indent=2) + "\n")
    stale = []
    for path, text in pages().items():
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path.relative_to(ROOT).as_posix())
        if not options.check:
            path.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"{name}: {'stale, run `make docs`' if options.check else 'written'}", file=sys.stderr)
    return 1 if options.check and stale else 0


def pages() -> dict[Path, str]:
    """Path → text as it should be."""
    from recipe_keys import key_lines

    keys = "\n".join([KEYS_BEGIN, *key_lines(), KEYS_END])
    earlier = {page: page.with_suffix(".json") for page in sorted((ROOT / "docs").glob("real-model-*.md"))}
    measured = {REAL_PAGE: REAL_RESULTS, **earlier}
    real = {page: with_real_results(page.read_text("utf-8"), file) for page, file in measured.items() if page.is_file()}
    return {
        **real,
        CLI_PAGE: cli_page(),
        README: with_real_results(with_results(README.read_text(encoding="utf-8"))),
        RECIPES: between(RECIPES.read_text(encoding="utf-8"), KEYS_BEGIN, KEYS_END, keys),
    }


def between(page: str, begin: str, end: str, block: str) -> str:
    """``page`` with ``block`` in place of what stands from ``begin`` to ``end``, both included."""
    if begin not in page or end not in page:
        return page
    return page.split(begin, 1)[0] + block + page.split(end, 1)[1]


# ------------------------------------------------------------------------------------------------------ docs/cli.md


def cli_page() -> str:
    """Every verb with its arguments and options."""
    from selftaught.cli.app import available_verbs, load_command

    lines = [
        "# Command line",
        "",
        "Written by `make docs` from the program's own help; `make check` compares. Data goes to stdout, talk to stderr;",
        "`--max_tokens` and `--max-tokens` are the same.",
        "",
        "| verb | does | interrupted, the same command resumes |",
        "|---|---|---|",
    ]
    verbs = available_verbs()
    lines += [f"| [`{v.name}`](#{v.name}) | {v.summary} | {'yes' if v.resumes else ''} |" for v in verbs]
    for verb in verbs:
        lines += ["", f"## {verb.name}", ""]
        lines += command_lines(load_command(verb.name), f"selftaught {verb.name}")
    return "\n".join(lines).rstrip() + "\n"


def command_lines(command: Any, path: str) -> Iterator[str]:
    """Usage, help, arguments and options of one command; then its subcommands."""
    subcommands = getattr(command, "commands", {})
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and not p.hidden and "--help" not in p.opts]
    usage = " ".join([path, *([argument_name(p) for p in arguments]), *(["[OPTIONS]"] if options else [])])
    yield f"`{usage}{' COMMAND' if subcommands else ''}`"
    yield ""
    yield plain(command.help or "")
    if arguments or options:
        yield ""
        yield "| argument or option | default | |"
        yield "|---|---|---|"
    for parameter in arguments:
        yield f"| `{cell(argument_name(parameter))}` | {default(parameter)} | {cell(getattr(parameter, 'help', None))} |"
    for parameter in options:
        names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
        yield f"| {names} | {default(parameter)} | {cell(parameter.help)} |"
    for name, subcommand in subcommands.items():
        yield ""
        yield f"### {path.removeprefix('selftaught ')} {name}"
        yield ""
        yield from command_lines(subcommand, f"{path} {name}")


def argument_name(parameter: Any) -> str:
    """``PROBLEMS``, ``[FILE]``, ``BENCH...``."""
    name = (parameter.metavar or parameter.name or "").upper()
    name = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    name += "..." if parameter.nargs == -1 and not name.endswith("...") else ""
    return name if parameter.required else f"[{name}]"


def default(parameter: Any) -> str:
    """The default as a table cell; empty when there is none worth saying."""
    if parameter.required:
        return "required"
    value = parameter.default
    if isinstance(value, bool):
        return "on" if value else ""
    if value is None or callable(value) or value in ("", [], ()):
        return ""
    return f"`{getattr(value, 'value', value)}`"


def cell(text: str | None) -> str:
    """Help text that fits into a table."""
    return " ".join((text or "").split()).replace("|", "\\|").replace("<", "&lt;")


def plain(text: str) -> str:
    """Help text without form feeds and control marks, paragraphs kept."""
    return re.sub(r"\n{3,}", "\n\n", text.replace("\b", "").replace("\f", "")).strip()


# --------------------------------------------------------------------------------------------------- README results


def summary(report: dict[str, Any]) -> dict[str, Any]:
    """What the README needs of a ``report.json``."""
    rows = [
        {key: row[key] for key in ("name", "benchmark", "n", "k", "pass_at_1", "ci95", "tool_call_rate", "tokens_mean")}
        for row in report["conditions"]
    ]
    paired = [{key: row[key] for key in ("a", "b", "benchmark", "diff", "ci95")} for row in report.get("paired", [])]
    scaling = [
        {key: row[key] for key in ("model", "round", "pass_at_1", "tokens_mean")}
        for row in report.get("scaling", [])
        if row.get("method", "hints") == "hints" and row.get("benchmark", "all") == "all"
    ]
    provenance = {key: report.get("provenance", {}).get(key) for key in KEPT_PROVENANCE}
    return {
        "title": report.get("title", ""),
        "created_at": report.get("created_at", ""),
        "wall_s": report.get("wall_s"),
        "conditions": rows,
        "paired": paired,
        "scaling": scaling,
        "stages": [{"name": s["name"], "seconds": s["seconds"]} for s in report.get("stages", [])],
        "provenance": {key: value for key, value in provenance.items() if value not in (None, "", [], {})},
    }


def with_results(readme: str) -> str:
    """``readme`` with the text between the markers made anew from ``docs/results.json``."""
    if not RESULTS.is_file():
        return between(readme, BEGIN, END, RUN_THE_DEMO)
    lines = [BEGIN, *result_lines(json.loads(RESULTS.read_text(encoding="utf-8")), "make demo"), END]
    return between(readme, BEGIN, END, "\n".join(lines))


def with_real_results(page: str, file: Path = REAL_RESULTS) -> str:
    """``page`` with the text between the markers made anew from ``file``."""
    if not file.is_file():
        return page
    results = json.loads(file.read_text(encoding="utf-8"))
    lines = [REAL_BEGIN, *result_lines(results, results.get("command", REAL_RUN)), REAL_END]
    page = between(page, REAL_BEGIN, REAL_END, "\n".join(lines))
    return between(
        page, REAL_MORE_BEGIN, REAL_MORE_END, "\n".join([REAL_MORE_BEGIN, *detail_lines(results), REAL_MORE_END])
    )


def without_places(command: str) -> str:
    """``command`` without what only says where things lie on the machine that ran it: ``--out``, ``--reuse``, weights,
    the checkout."""
    words, kept = iter(shlex.split(command)), []
    for word in words:
        value = next(words, "") if word in ("--out", "--reuse", "--set") else ""
        if not value or (word == "--set" and not value.startswith("base_model=")):
            kept += [word, value] if value else [word]
    return shlex.join("recipes/" + Path(word).name if re.fullmatch(r"/\S+\.yaml", word) else word for word in kept)


def with_short_names(report: dict[str, Any]) -> dict[str, Any]:
    """The report with its whole test called ``all``, and its parts by their own names."""
    for rows in report.values():
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and "benchmark" in row:
                row["benchmark"] = "all" if row["benchmark"] == "test" else row["benchmark"].removeprefix("test/")
    return report


def details(report: dict[str, Any]) -> dict[str, Any]:
    """What a page of its own shows beside the summary: transitions, how rollouts ended, calls, data sets."""
    transition = ("a", "b", "benchmark", "n", "wrong_to_right", "right_to_wrong", "right_to_right", "wrong_to_wrong")
    ended = ("name", "benchmark", "outcomes", "model_tokens_mean", "tool_calls_mean", "hints_mean")
    used = ("condition", "benchmark", "num_trajectories", "num_calls", "statuses", "accuracy_with_call", "num_with_call",
            "accuracy_without_call", "error_types")  # fmt: skip
    return {
        "transitions": [{key: row[key] for key in transition} for row in report.get("transitions", [])],
        "endings": [{key: row[key] for key in ended} for row in report["conditions"]],
        "tools": [{key: row.get(key) for key in used} for row in report.get("tools", [])],
        "funnels": report.get("funnel", []),
        "paired": [
            {key: row[key] for key in ("a", "b", "benchmark", "diff", "ci95", "n", "p_value", "test")}
            for row in report.get("paired", [])
        ],
        "scaling": [
            {key: row[key] for key in ("model", "round", "benchmark", "pass_at_1", "ci95", "tokens_mean", "n")}
            for row in report.get("scaling", [])
            if row.get("method", "hints") == "hints"
        ],
        "stages": report.get("stages", []),
    }


def detail_lines(results: dict[str, Any]) -> Iterator[str]:
    """Paired differences, transitions, tokens and calls, data sets, time."""
    yield "### Differences on the same problems"
    yield ""
    yield "| | benchmark | n | points | 95 % interval | p | wrong → right | right → wrong |"
    yield "|---|---|---|---|---|---|---|---|"
    moved = {(row["a"], row["b"], row["benchmark"]): row for row in results["transitions"]}
    for row in results["paired"]:
        low, high = row["ci95"]
        became = moved.get((row["b"], row["a"], row["benchmark"]), {})
        p = "–" if row["p_value"] is None else "< 0.001" if row["p_value"] < 0.001 else f"{row['p_value']:.3f}"
        yield (
            f"| {row['a']} − {row['b']} | {row['benchmark']} | {row['n']} | {signed(row['diff'])} | {signed(low)} to "
            f"{signed(high)} | {p} | {became.get('wrong_to_right', '–')} | {became.get('right_to_wrong', '–')} |"
        )
    yield ""
    yield "### Tokens, calls, endings"
    yield ""
    yield "| condition | benchmark | tokens a problem | sampled | calls a problem | right with a call | right without | endings |"
    yield "|---|---|---|---|---|---|---|---|"
    tokens = {(row["name"], row["benchmark"]): row["tokens_mean"] for row in results["conditions"]}
    used = {(row["condition"], row["benchmark"]): row for row in results["tools"]}
    for row in results["endings"]:
        key = (row["name"], row["benchmark"])
        tool = used.get(key, {})
        with_, without = tool.get("accuracy_with_call"), tool.get("accuracy_without_call")
        count = tool.get("num_with_call", 0)
        ended = ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in row["outcomes"].items() if number)
        yield (
            f"| `{row['name']}` | {row['benchmark']} | {tokens[key]:.0f} | {row['model_tokens_mean']:.0f} | "
            f"{row['tool_calls_mean']:.2f} | {'–' if with_ is None else f'{percent(with_)} of {count}'} | "
            f"{'–' if without is None else percent(without)} | {ended} |"
        )
    yield ""
    yield "### Data sets"
    yield ""
    yield "| data set | read | kept | left out |"
    yield "|---|---|---|---|"
    for row in results["funnels"]:
        dropped = sorted(row["dropped"].items(), key=lambda item: -item[1])
        left = ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in dropped)
        yield f"| `{row['stage']}` | {row['num_in']} | {row['num_kept']} | {left} |"
    yield ""
    yield "### Time"
    yield ""
    yield "| stage | minutes | tokens | |"
    yield "|---|---|---|---|"
    for row in results["stages"]:
        yield f"| {row['name']} | {row['seconds'] / 60:.1f} | {row['tokens']:,} | {row['detail']} |"


def result_lines(results: dict[str, Any], command: str = "make demo") -> Iterator[str]:
    """The table of conditions, the curve over rounds, and where the numbers come from."""
    rows = {(row["name"], row["benchmark"]): row for row in results["conditions"]}
    benchmarks = [name for name in BENCHMARKS if any(key[1] == name for key in rows)]
    conditions = [name for name in CONDITIONS if any(key[0] == name for key in rows)]
    if not benchmarks:
        benchmarks = sorted({key[1] for key in rows})
    counts = {name: max(row["n"] for key, row in rows.items() if key[1] == name) for name in benchmarks}
    yield "| condition | " + " | ".join(f"{name} (n={counts[name]})" for name in benchmarks) + " | calls Python |"
    yield "|---|" + "---|" * (len(benchmarks) + 1)
    for condition in conditions:
        cells = [score(rows.get((condition, name))) for name in benchmarks]
        row = rows.get((condition, benchmarks[0]))
        yield f"| `{condition}` | " + " | ".join(cells) + f" | {percent(row['tool_call_rate']) if row else '–'} |"
    yield ""
    yield "Small figures: the 95 % interval. Last column: share of problems on which the model called Python, in %."
    yield ""
    for row in results["paired"]:
        if row["benchmark"] == "all" and (row["a"], row["b"]) == ("start", "base"):
            low, high = row["ci95"]
            yield f"- START − base on the same problems: {signed(row['diff'])} points ({signed(low)} to {signed(high)})."
    curves: dict[str, list[str]] = {}
    for row in sorted(results["scaling"], key=lambda row: row["round"]):
        if row.get("benchmark", "all") != "all":
            continue
        curves.setdefault(row["model"], []).append(percent(row["pass_at_1"]))
    for model, points in curves.items():
        yield f"- `{model}` with 0 to {len(points) - 1} rounds of hints at the end of thinking: {' → '.join(points)}."
    yield ""
    yield f"<sub>{origin(results, command)}</sub>"


def origin(results: dict[str, Any], command: str) -> str:
    """One line: command, date, commit, machine, time."""
    provenance = results.get("provenance", {})
    parts = [f"`{command}`", results.get("created_at", "")[:10]]
    if provenance.get("git_commit"):
        parts.append(f"commit {provenance['git_commit'][:10]}{' (dirty)' if provenance.get('git_dirty') else ''}")
    parts += [
        machine(provenance.get("hardware", {})),
        *duration(results, ", two of which run at a time" if command == "make demo" else ""),
    ]
    return ", ".join(part for part in parts if part) + "."


def machine(hardware: dict[str, str]) -> str:
    """Processor, cores, memory, system."""
    cores = hardware.get("cores", "")
    named = {
        **hardware,
        "cores": f"{cores} core{'' if cores == '1' else 's'}",
        "memory": f"{hardware.get('memory')} memory",
    }
    return ", ".join(named[key] for key in ("cpu", "cores", "memory", "system") if hardware.get(key))


def duration(results: dict[str, Any], aside: str) -> Iterator[str]:
    """Wall time of the run where it was recorded, and what its stages took together: stages run side by side."""
    if results.get("wall_s"):
        yield f"{results['wall_s'] / 60:.1f} minutes of wall time"
    if results.get("stages"):
        minutes = sum(stage["seconds"] for stage in results["stages"]) / 60
        yield f"{minutes:.1f} minutes summed over stages{aside}"


def percent(share: float) -> str:
    """``0.4271`` → ``42.7``."""
    return f"{100 * share:.1f}"


def signed(share: float) -> str:
    """``0.4271`` → ``+42.7``."""
    return f"{100 * share:+.1f}".replace("-", "−")


def score(row: dict[str, Any] | None) -> str:
    """pass@1 with its interval, or a dash."""
    if row is None:
        return "–"
    return f"{percent(row['pass_at_1'])} <sub>{percent(row['ci95'][0])}–{percent(row['ci95'][1])}</sub>"


if __name__ == "__main__":
    sys.exit(main())
