"""The functions take what the commands take: the names cannot drift apart."""

from __future__ import annotations

import inspect
import typing
from typing import Any, get_type_hints

import pytest

import selftaught as st
from selftaught.api.model import _OF_LOADING, Model
from selftaught.api.options import AskSettings, RunSettings, flat_keys
from selftaught.cli.app import available_verbs, load_command
from selftaught.cli.infer import ONE
from selftaught.errors import ConfigError
from selftaught.rollouts.defaults import OPTIONS
from selftaught.rollouts.settings import FLAT

FUNCTIONS: dict[str, Any] = {
    "rollout": st.rollout,
    "grade": st.grade_run,
    "curate": st.curate,
    "train": st.train,
    "eval": st.evaluate,
    "report": inspect.unwrap(st.report),
    "compare": st.compare,
    "verify": st.verify,
    "run": st.run,
    "demo": st.demo,
    "infer": Model.infer,
    "push": st.push,
}

ONLY_COMMANDS: dict[str, set[str]] = {
    "grade": {"pairs", "programs"},  # st.grade
    "curate": {"explain", "editable", "export", "loss"},  # they say or write something else and stop
    "compare": {"fail_below", "significant"},  # exit codes
    "report": {"table"},
    "run": {"dry_run"},
    "infer": {"model", "problem", "from"},  # st.load, st.load_trajectories
}
"""Options that are no arguments, beside ``--json``."""

NO_FUNCTION = {"view", "serve", "mcp", "decontaminate", "exec", "hints", "toy", "ls", "doctor"}
"""Commands for a terminal, and parts with an interface of their own (`st.Sandbox`)."""

ONLY_FUNCTIONS = {"quiet", "stream", "question"}


def options_of(verb: str) -> set[str]:
    """Names of a command's options and arguments, as Python writes them; ``--json`` is what functions return."""
    names = set()
    for option in load_command(verb).params:
        flags = [flag for flag in option.opts if flag.startswith("--")]
        names.add((flags[0].removeprefix("--") if flags else option.name).replace("-", "_"))
    return names - {"json", "help"}


def arguments_of(function: Any) -> set[str]:
    """Names that a function takes, those of its settings among them."""
    names: set[str] = set()
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            settings = get_type_hints(function)[name].__args__[0]
            assert typing.is_typeddict(settings)
            names |= settings.__annotations__.keys() | get_type_hints(settings).keys()
        elif name != "self":
            names.add(name)
    return names


@pytest.mark.parametrize("verb", [verb.name for verb in available_verbs() if verb.name not in NO_FUNCTION])
def test_arguments_are_called_as_the_options(verb: str) -> None:
    options = options_of(verb) - ONLY_COMMANDS.get(verb, set())
    arguments = arguments_of(FUNCTIONS[verb]) - ONLY_FUNCTIONS
    if verb == "infer":
        options.discard("question")
    assert arguments == options


def test_every_setting_is_an_argument_of_its_type() -> None:
    hints = get_type_hints(RunSettings)
    assert hints.keys() == OPTIONS.keys()
    assert set(get_type_hints(AskSettings)) == {option for option, key in OPTIONS.items() if key not in ONE}
    for option, key in OPTIONS.items():
        field = FLAT[key][2]
        plain = next(
            (kind for kind in (bool, int, float) if kind in (field.annotation, *typing.get_args(field.annotation))),
            None,
        )
        assert plain is None or hints[option] is plain, option
    assert {"device", "dtype", "max_rows"} <= set(_OF_LOADING) and "temperature" not in _OF_LOADING


def test_a_name_that_is_no_setting() -> None:
    assert flat_keys({"tool_timeout": 3, "tool_timeout_s": 4, "top_p": None}) == {"tool_timeout_s": 4}
    assert flat_keys({"preload": "math, json"}) == {"preload": ["math", "json"]}
    with pytest.raises(ConfigError, match=r"^temprature: no such argument. Did you mean temperature\?$"):
        flat_keys({"temprature": 1})
    with pytest.raises(ConfigError, match="samples: no such argument"):
        flat_keys({"samples": 2}, ONE)
