"""Options that are made from the settings: no verb lacks one, and each reaches its setting."""

from __future__ import annotations

import inspect
from typing import Annotated, Any

import pytest
import typer

from selftaught.cli.app import load_command
from selftaught.cli.infer import ONE
from selftaught.cli.options import PANELS, Given, flag, settings_from, with_settings
from selftaught.errors import ConfigError
from selftaught.manner import Decoding, Manner
from selftaught.rollouts.settings import FLAT, GROUPS, RolloutSettings, choices_of

VERBS = {"rollout": (), "eval": (), "infer": ONE}
"""Verb → settings that it has no use for."""

DOCUMENTED = """--tokenizer --dtype --threads --device --max-rows --sandbox-workers --language --system --tool-memory --hints
--rounds --tools --temperature --top-p --max-tokens --max-tool-calls --tool-timeout --seed --model-name --allow-text""".split()
"""Flags that every verb which asks a model has."""


def options_of(verb: str) -> dict[str, Any]:
    return {name: option for option in load_command(verb).params for name in option.opts}


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_lacks_an_option(verb: str) -> None:
    options = options_of(verb)
    missing = [key for key in FLAT if key not in VERBS[verb] and flag(key) not in options]
    assert not missing and set(DOCUMENTED) <= options.keys()
    assert not [key for key in VERBS[verb] if flag(key) in options]
    assert all(option.help for option in options.values() if option.opts[0] != "problems")


def test_each_setting_has_one_flag_of_its_own() -> None:
    assert len({flag(key) for key in FLAT}) == len(FLAT)
    assert set(PANELS) == set(GROUPS)
    assert flag("tool_timeout_s") == "--tool-timeout" and flag("tool_memory_mb") == "--tool-memory"


def a_value(key: str) -> tuple[list[str], Any]:
    """Words on the command line for another value than the default, and what they should become."""
    field = FLAT[key][2]
    if isinstance(field.default, bool):
        return ([f"--no-{flag(key)[2:]}"] if field.default else [flag(key)]), not field.default
    if key == "preload":
        return [flag(key), "math, json"], ("math", "json")
    if key == "device":
        return [flag(key), "cpu"], "cpu"
    choices = choices_of(field.annotation)
    if choices:
        other = next(choice for choice in choices if choice != field.default)
        return [flag(key), other], other
    for text in ("0.5", "200", "20", "words"):
        try:
            made = RolloutSettings.model_validate({key: text if text == "words" else float(text)})
        except ValueError:
            continue
        group, name, _ = FLAT[key]
        return [flag(key), text], getattr(getattr(made, group), name)
    raise AssertionError(key)


def made_by(*words: str) -> RolloutSettings:
    """The settings of a verb with all options that was called with ``words``."""
    found: list[RolloutSettings] = []
    app = typer.Typer()

    @app.command()
    @with_settings()
    def verb(given: Given, other: Annotated[int, typer.Option()] = 3) -> None:
        assert other == 3
        found.append(settings_from(given))

    typer.main.get_command(app).main(list(words), standalone_mode=False)
    return found[0]


@pytest.mark.parametrize("key", FLAT)
def test_each_setting_is_reached(key: str) -> None:
    words, wanted = a_value(key)
    made, plain = made_by(*words).flat(), RolloutSettings().flat()
    assert made.pop(key) == wanted and plain.pop(key) != wanted
    assert made == plain, "and no other"


def test_what_was_not_named_stays_open() -> None:
    assert made_by() == RolloutSettings()
    own = Manner(sampling=Decoding(temperature=0.6, top_p=0.95))
    assert settings_from({}, manner=own).sampling.temperature == 0.6
    assert settings_from({"temperature": 0.0}, manner=own).sampling.temperature == 0.0
    assert settings_from({}, manner=Manner(), temperature=0.3).sampling.temperature == 0.3
    with pytest.raises(ConfigError, match=r"^--tool-timeout is 0; expected at least 0\.05"):
        settings_from({"tool_timeout_s": 0})


def test_help_names_bounds_choices_and_defaults() -> None:
    options = options_of("rollout")
    assert "above 0, at most 1" in options["--top-p"].help and "default: 32768" in options["--max-tokens"].help
    assert options["--think-style"].metavar == "[auto|tags|whole_turn]"
    assert "one sample" in options_of("eval")["--temperature"].help


def test_the_signature_is_readable() -> None:
    @with_settings(without=[key for key in FLAT if key != "seed"])
    def verb(name: str, given: Given) -> None:
        """Say it."""

    assert list(inspect.signature(verb).parameters) == ["name", "seed"] and verb.__doc__ == "Say it."
