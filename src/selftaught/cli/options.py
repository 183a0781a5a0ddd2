"""Options made from `RolloutSettings`: one for each setting, so that no verb lacks one and each has its bounds.

`with_settings` gives a verb the options; it gets those that were named as one mapping, by flat key, and hands them to
`settings_from`. What was not named stays open: the model's manner, then the verb, then the setting's default decide.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, Union, get_args, get_origin

import typer

from selftaught.manner import Manner
from selftaught.rollouts.defaults import chosen, option_name
from selftaught.rollouts.settings import FLAT, RolloutSettings, choices_of, expected

PANELS = {
    "sampling": "Sampling",
    "tools": "Python",
    "hints": "Hints",
    "engine": "Engine",
    "spread": "Spread",
}
"""Group of settings → heading on the help page."""

Given = dict[str, Any]
"""Options that were named, by flat key."""


def flag(key: str) -> str:
    """``tool_timeout_s`` → ``--tool-timeout``."""
    return "--" + option_name(key).replace("_", "-")


def with_settings(
    *,
    without: Collection[str] = (),
    defaults: Mapping[str, str] | None = None,
    aliases: Mapping[str, tuple[str, ...]] | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a verb an option for each setting but ``without``; its parameter ``given`` gets those that were named.

    ``defaults`` are words for the help where the verb decides otherwise than the setting; ``aliases`` further flags.
    """
    keys = [key for key in FLAT if key not in without]

    def decorate(verb: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(verb, eval_str=True)
        own = [item for item in signature.parameters.values() if item.name != "given"]
        made = [_parameter(key, (defaults or {}).get(key), (aliases or {}).get(key, ())) for key in keys]

        def wrapped(**values: Any) -> None:
            given = {key: values.pop(key) for key in keys}
            verb(given={key: _value(key, value) for key, value in given.items() if value is not None}, **values)

        parameters = [*own, *made]
        wrapped.__name__, wrapped.__doc__, wrapped.__module__ = verb.__name__, verb.__doc__, verb.__module__
        wrapped.__annotations__ = {item.name: item.annotation for item in parameters}
        wrapped.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [item.replace(kind=inspect.Parameter.KEYWORD_ONLY) for item in parameters]
        )
        return wrapped

    return decorate


def settings_from(given: Given, *, manner: Manner | None = None, **verb: object) -> RolloutSettings:
    """The settings of a run: what was named, else the model's manner, else ``verb``'s own defaults, else the setting's.

    ConfigError in one line when a value is out of bounds.
    """
    return chosen(given, manner=manner, name=flag, **verb)


def _parameter(key: str, default: str | None, also: tuple[str, ...]) -> inspect.Parameter:
    group, _, field = FLAT[key]
    kind = _plain_type(field.annotation)
    names = [flag(key), *also]
    if kind is bool and field.default is True:
        names[0] += f"/--no-{names[0].removeprefix('--')}"
    choices = choices_of(field.annotation)
    bounds = "" if choices or kind is bool else expected(key)
    if default is None and field.default is not None and kind is not bool:
        default = getattr(field.default, "value", str(field.default))
    notes = "; ".join(part for part in (bounds, f"default: {default}" if default else "") if part)
    text = (field.description or "").replace("\n", " ") + (f" ({notes})" if notes else "")
    option = typer.Option(
        *names,
        help=text,
        show_default=False,
        rich_help_panel=PANELS[group],
        metavar=f"[{'|'.join(choices)}]" if choices else None,
    )
    return inspect.Parameter(
        key, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _plain_type(annotation: Any) -> type:
    """The type that the command line reads: bool, int, float, or text for everything else."""
    if get_origin(annotation) in (Union, types.UnionType):
        return _plain_type(next(item for item in get_args(annotation) if item is not type(None)))
    return annotation if annotation in (bool, int, float) else str


def _value(key: str, value: Any) -> Any:
    """A list is given with commas."""
    if get_origin(_without_none(FLAT[key][2].annotation)) is tuple:
        return tuple(part.strip() for part in str(value).split(",") if part.strip())
    return value


def _without_none(annotation: Any) -> Any:
    found = [item for item in get_args(annotation) if item is not type(None)]
    return found[0] if type(None) in get_args(annotation) else annotation
