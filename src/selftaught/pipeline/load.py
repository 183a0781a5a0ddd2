"""Reads recipes: finds the file, lays it over the recipe that it extends, applies overrides, names what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import ValidationError

from selftaught.complaints import complaint
from selftaught.errors import ConfigError
from selftaught.overrides import apply_overrides, read_mapping
from selftaught.pipeline.figure import build_stages
from selftaught.pipeline.recipe import Recipe
from selftaught.records import Record


def recipes_folder() -> Path:
    """Where the shipped recipes lie: in the checkout, or inside the installed package."""
    packaged = Path(__file__).resolve().parents[1] / "recipes"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[3] / "recipes"


def find_recipe(name: str) -> Path:
    """The file of a recipe given by path or by the name of a shipped one; ConfigError when there is none."""
    path = Path(name)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return path
    folder = recipes_folder()
    for candidate in (folder / name, folder / f"{name}.yaml", folder / "ablations" / f"{name}.yaml"):
        if candidate.is_file():
            return candidate
    known = sorted(p.stem for p in folder.rglob("*.yaml"))
    near = get_close_matches(path.stem, known, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise ConfigError(f"recipe {name!r} was not found; expected a YAML file or one of {', '.join(known)}.{hint}")


def load_recipe(name: str, overrides: list[str] | None = None) -> Recipe:
    """Read a recipe, apply ``a.b=value`` overrides, check it. ConfigError names the key and what was expected."""
    path = find_recipe(name)
    content = _read(path, [])
    changed = _unshared(content)
    apply_overrides(changed, overrides or [])
    return parse_recipe(_taken_away(content, changed), str(path))


def _read(path: Path, seen: list[Path]) -> dict[str, Any]:
    """A recipe file's content over that of the recipe which it extends."""
    if path in seen:
        raise ConfigError(f"{path} extends itself.")
    content = read_mapping(path, "the keys of a recipe")
    content = _unshared(content)
    parent = content.pop("extends", None)
    if parent is None:
        return content
    inherited = _read(find_recipe(str(parent)), [*seen, path])
    return _taken_away(inherited, _merge(inherited, content))


def parse_recipe(content: dict[str, Any], where: str) -> Recipe:
    """Check a recipe's content."""
    try:
        recipe = Recipe.model_validate(content)
        build_stages(recipe)  # checks every rollout's options
    except ValidationError as error:
        raise ConfigError(f"{where}: {complaint(error, sorted(set(_keys(Recipe))), whole='the recipe')}") from None
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None
    return recipe


def _keys(record: type[Record]) -> Iterator[str]:
    """All keys that stand anywhere in a record."""
    for name, field in record.model_fields.items():
        yield name
        for part in _records_in(field.annotation):
            yield from _keys(part)


def _records_in(annotation: Any) -> Iterable[type[Record]]:
    """The records that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return [annotation]
    return [record for part in get_args(annotation) for record in _records_in(part)]


def _taken_away(before: Any, after: Any, annotation: Any = Recipe) -> Any:
    """``after`` without what it sets to null in mappings whose keys are names: parts of a test, conditions, limits.

    Only what ``before`` has can be taken away, so that a name with nothing behind it stays a mistake. A key of a record
    keeps its null, which may mean something there.
    """
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return after
    if isinstance(annotation, type) and issubclass(annotation, Record):
        types = {name: field.annotation for name, field in annotation.model_fields.items()}
        return {key: _taken_away(before.get(key), value, types.get(key)) for key, value in after.items()}
    if get_origin(annotation) is dict:
        named = get_args(annotation)[1]
        left = {key: value for key, value in after.items() if value is not None or before.get(key) is None}
        return {key: _taken_away(before.get(key), value, named) for key, value in left.items()}
    for part in get_args(annotation):
        after = _taken_away(before, after, part)
    return after


def _unshared(value: Any) -> Any:
    """A copy without shared parts.

    YAML's ``*anchor`` gives one mapping in two places; an override of one would change both.
    """
    if isinstance(value, dict):
        return {key: _unshared(part) for key, part in value.items()}
    return [_unshared(part) for part in value] if isinstance(value, list) else value


def _merge(parent: dict[str, Any], child: dict[str, Any]) -> dict[str, Any]:
    """``child`` over ``parent``, mappings merged key by key."""
    merged = dict(parent)
    for key, value in child.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merge(merged[key], value)
        else:
            merged[key] = value
    return merged
