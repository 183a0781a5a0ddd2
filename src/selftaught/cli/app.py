"""The command ``selftaught``: finds the verb, runs it, turns what happened into one line and an exit code.

A verb is a module ``cli/<verb>.py`` with ``register(app)``; only the module of the verb that was called is imported,
so ``selftaught --help`` needs neither torch nor pydantic. Data goes to stdout, talk to stderr.

Exit codes: 0 all done, 1 incomplete or a check failed, 2 usage or configuration, 3 a part is missing,
128 + n stopped by signal n (130 Ctrl-C, 143 SIGTERM).
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shlex
import signal
import sys
import traceback
from collections.abc import Sequence
from difflib import get_close_matches
from types import FrameType
from typing import Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from selftaught.cli.usage import guard, is_wrong_path, usage_message
from selftaught.cli.verbs import SYNONYMS, VERBS, Verb
from selftaught.errors import MissingPartError, SelftaughtError
from selftaught.version import __version__

PROGRAM = "selftaught"
DEBUG_VARIABLE = "SELFTAUGHT_DEBUG"
"""Set to 1, a bug or an error shows its whole traceback."""

EXIT_FAILED, EXIT_USAGE, EXIT_MISSING = 1, 2, 3

EXTRAS = {
    "torch": "local",
    "transformers": "local",
    "safetensors": "local",
    "trl": "train",
    "accelerate": "local",
    "datasets": "train",
    "peft": "train",
    "ray": "ray",
    "inspect_ai": "inspect",
    "fastapi": "serve",
    "uvicorn": "serve",
    "prometheus_client": "serve",
    "opentelemetry": "otel",
    "pyarrow": "hub",
    "huggingface_hub": "hub",
    "mcp": "mcp",
    "smolagents": "smolagents",
}
"""Import name → the extra that brings it, for the message when it is not installed."""

HELP = """The open START: a long-thinking reasoner that teaches itself to use Python.

selftaught demo                               the whole loop, embedded reasoner

selftaught infer "What is 7^2023 mod 1000?"   one problem, with code and output
"""


class Terminated(BaseException):
    """SIGTERM arrived. Not an Exception, so that no handler on the way swallows it."""


class LazyGroup(TyperGroup):
    """A group whose commands are imported when they are called; the list of verbs is static."""

    _listing = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = {verb.name: _placeholder(verb) for verb in available_verbs()}

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command itself, or its placeholder while the list of verbs is printed."""
        if self._listing or cmd_name not in self.commands:
            return self.commands.get(cmd_name)
        return load_command(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the verb; an unknown one is a usage error that names what was probably meant."""
        name = args[0].replace("_", "-")
        if name in self.commands or name.startswith("-"):
            return super().resolve_command(ctx, [name, *args[1:]])
        near = [SYNONYMS[name]] if name in SYNONYMS else get_close_matches(name, self.commands, n=2)
        near = [verb for verb in near if verb in self.commands]
        hint = f" Did you mean {' or '.join(near)}?" if near else f" `{PROGRAM} --help` lists the verbs."
        ctx.fail(f"No such verb {args[0]!r}.{hint}")

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Names of verbs for the shell, without importing any."""
        self._listing = True
        try:
            return super().shell_complete(ctx, incomplete)
        finally:
            self._listing = False

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the list of verbs without importing any."""
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False


def available_verbs() -> list[Verb]:
    """The verbs whose module is there."""
    return [verb for verb in VERBS if importlib.util.find_spec(verb.module) is not None]


def load_command(name: str) -> Any:
    """Import the module of the verb ``name`` and build its command, or its group of commands."""
    module = importlib.import_module(next(verb.module for verb in VERBS if verb.name == name))
    holder = typer.Typer(add_completion=False, rich_markup_mode="rich")
    holder.callback()(lambda: None)  # keeps a holder with one command a group
    module.register(holder)
    return guard(typer.main.get_group(holder).commands[name])


def build_app() -> TyperGroup:
    """The root group, with ``--version`` and ``--help``."""
    app = typer.Typer(
        name=PROGRAM,
        cls=LazyGroup,
        rich_markup_mode="rich",
        context_settings={
            "help_option_names": ["-h", "--help"],
            # Users of other tools type underscores: --max_tokens is --max-tokens.
            "token_normalize_func": lambda token: token.replace("_", "-"),
        },
    )

    @app.callback(help=HELP)
    def root(
        version: bool = typer.Option(False, "--version", "-V", help="Print the version and exit.", callback=_version),
    ) -> None:
        """Root options; the verbs do the work."""

    command = typer.main.get_command(app)
    assert isinstance(command, TyperGroup)
    return command


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``selftaught`` with ``argv`` (default: the process's own arguments) and return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    # Offline, the hub's client retries with a line each; the error at the end says all that there is to say.
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    previous = _on_sigterm(_raise_terminated)
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return _interrupted(signal.SIGINT, arguments)
    except Terminated:
        return _interrupted(signal.SIGTERM, arguments)
    finally:
        _on_sigterm(previous)


def _run(arguments: list[str]) -> int:
    command = build_app()
    try:
        if f"_{PROGRAM.upper()}_COMPLETE" in os.environ:
            command.main(args=arguments, prog_name=PROGRAM)
        with command.make_context(PROGRAM, arguments or ["--help"]) as context:
            command.invoke(context)
        sys.stdout.flush()
        return 0
    except typer.Exit as stop:
        return stop.exit_code
    except SystemExit as stop:  # the completion of the shell ends so
        return stop.code if isinstance(stop.code, int) else 0
    except typer.Abort:
        return _fail("aborted", EXIT_FAILED)
    except typer.TyperException as error:
        return _fail(usage_message(error), getattr(error, "exit_code", EXIT_USAGE), error)
    except SelftaughtError as error:
        return _fail(str(error), error.exit_code, error)
    except BrokenPipeError:
        # The reader went away (`… | head`). Point stdout at nothing, or the interpreter complains at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except ModuleNotFoundError as error:
        return _missing_module(error)
    except OSError as error:
        return _os_error(error)
    except Exception as error:
        traceback.print_exc()
        return _fail(f"bug: {type(error).__name__}: {error}. Please report it with the lines above.", EXIT_FAILED)


def _fail(message: str, exit_code: int, error: BaseException | None = None) -> int:
    """Say one line on stderr (the traceback before it where it was asked for); return the exit code."""
    if error is not None and os.environ.get(DEBUG_VARIABLE, "0") not in ("", "0"):
        traceback.print_exception(error)
    print(f"{PROGRAM}: error: {' '.join(message.split())}", file=sys.stderr, flush=True)
    return exit_code


def _os_error(error: OSError) -> int:
    """A path that cannot be used is the user's to mend; a full disk is the machine's, and the same command goes on."""
    said = error.strerror or str(error)
    if error.filename is None or not is_wrong_path(error):
        return _fail(f"{said}{f': {error.filename}' if error.filename else ''}", EXIT_FAILED, error)
    return _fail(f"{error.filename} cannot be used ({said}); name a path that can.", EXIT_USAGE, error)


def missing_part(module: str) -> MissingPartError:
    """The error for an optional package that is not installed, with the command that brings it."""
    return MissingPartError(
        f"this needs {module}, which is not installed; pip install 'selftaught[{EXTRAS.get(module, 'all')}]'."
    )


def _missing_module(error: ModuleNotFoundError) -> int:
    name = (error.name or "").partition(".")[0]
    if name not in EXTRAS:
        traceback.print_exc()
        return _fail(f"the Python package {name!r} is not installed; run `make install`.", EXIT_MISSING)
    return _fail(str(missing_part(name)), EXIT_MISSING, error)


def _interrupted(signal_number: signal.Signals, arguments: list[str]) -> int:
    """Say that we were stopped and, for verbs that keep their work, how to go on."""
    line = f"{PROGRAM}: stopped by {signal_number.name}."
    verb = next((argument for argument in arguments if not argument.startswith("-")), "")
    if any(known.name == verb and known.resumes for known in VERBS):
        line += f" To go on from here: {shlex.join([PROGRAM, *(a for a in arguments if a != '--fresh')])}"
    print(line, file=sys.stderr, flush=True)
    return 128 + signal_number


def _on_sigterm(handler: Any) -> Any:
    """Set the handler of SIGTERM and return the one before; does nothing outside the main thread (tests, servers)."""
    try:
        return signal.signal(signal.SIGTERM, handler)
    except ValueError:
        return signal.SIG_DFL


def _raise_terminated(_signal_number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated


def _version(wanted: bool) -> None:
    if wanted:
        print(f"{PROGRAM} {__version__}")
        raise typer.Exit


def _placeholder(verb: Verb) -> TyperCommand:
    return TyperCommand(verb.name, help=verb.summary, rich_help_panel=verb.panel, rich_markup_mode="rich")


if __name__ == "__main__":
    sys.exit(main())
