"""The keys of a recipe as Markdown tables, read from the settings' own classes (``selftaught.pipeline.recipe:Recipe``).

A section's keys are the fields of its class; their meaning is the docstring below each field. A class that stands at several
places (`seed_round.train`, `start_round.train`, …) gets one table, under all its places.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
import types
from collections.abc import Iterator
from enum import Enum
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

WORDS = {bool: "true, false", int: "whole number", float: "number", str: "text"}
"""Plain types in words."""


def key_lines() -> Iterator[str]:
    """All tables: the top of a recipe first, then its sections."""
    from selftaught.pipeline.options import RolloutOptions
    from selftaught.pipeline.recipe import Recipe

    places: dict[type[BaseModel], list[str]] = {}
    options: list[str] = []
    for place, model in sections("", Recipe):
        if issubclass(model, RolloutOptions):
            options.append(place)
        else:
            places.setdefault(model, []).append(place)
    for model, found in places.items():
        yield from _heading(found)
        yield from _table((key, field, docs(model).get(key, "")) for key, field in model.model_fields.items())
        if model is Recipe:
            yield from _heading(options)
            yield "A value here counts more than the one in `defaults`."
            yield ""
            yield from _table(rollout_fields())


def sections(place: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """Place and class of ``model`` and of all sections below it."""
    yield place, model
    if not hasattr(model, "model_fields") or "root" in model.model_fields:
        return
    for key, field in model.model_fields.items():
        for inner in models_in(field.annotation):
            name = f"{key}.NAME" if get_origin(_plain(field.annotation)) is dict else key
            yield from sections(f"{place}.{name}".lstrip("."), inner)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Classes of settings inside an annotation."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models_in(part)


def rollout_fields() -> Iterator[tuple[str, FieldInfo, str]]:
    """The flat keys of a rollout's settings, with their meaning."""
    from selftaught.rollouts import settings

    for key, (group, _, field) in settings.FLAT.items():
        owner = settings.GROUPS[group]
        name = next(name for name, known in owner.model_fields.items() if known is field)
        yield key, field, field.description or docs(owner).get(name, "")


@cache
def docs(model: type[BaseModel]) -> dict[str, str]:
    """Field → the docstring that stands below it, from the classes it inherits from as well."""
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if not (inspect.isclass(owner) and issubclass(owner, BaseModel)) or owner is BaseModel:
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, text in zip(body.body, body.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                found[ast.unparse(field.target)] = str(text.value.value)
    return found


def _heading(places: list[str]) -> Iterator[str]:
    names = [place for place in places if place]
    yield ""
    yield "### " + (", ".join(f"`{name}`" for name in names) if names else "Top of the file")
    yield ""


def _table(rows: Any) -> Iterator[str]:
    yield "| key | value | default | meaning |"
    yield "|---|---|---|---|"
    for key, field, text in rows:
        nested = next(models_in(field.annotation), None)
        if nested is not None and not text:
            text = (inspect.getdoc(nested) or "").split("\n\n")[0]
        yield f"| `{key}` | {_kind(field)} | {_default(field)} | {_cell(text)} |"


def _plain(annotation: Any) -> Any:
    """Without ``| None``."""
    if get_origin(annotation) in (Union, types.UnionType):
        parts = [part for part in get_args(annotation) if part is not type(None)]
        return parts[0] if len(parts) == 1 else annotation
    return annotation


def _kind(field: FieldInfo) -> str:
    bounds = []
    for item in field.metadata:
        for name, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<")):
            bound = getattr(item, name, None)
            if bound is not None and abs(bound) < 1 << 16:
                bounds.append(f"{sign} {bound:g}")
    return _cell(", ".join([_words(field.annotation), *bounds]))


def _words(annotation: Any) -> str:
    annotation = _plain(annotation)
    origin, parts = get_origin(annotation), get_args(annotation)
    if annotation in WORDS:
        return WORDS[annotation]
    if origin is Literal:
        return ", ".join(f"`{part}`" for part in parts)
    if origin in (Union, types.UnionType):
        return " or ".join(_words(part) for part in parts if part is not type(None))
    if origin is dict:
        return f"mapping of {_words(parts[1])}"
    if origin in (list, tuple):
        return f"list of {_words(parts[0])}"
    if inspect.isclass(annotation) and issubclass(annotation, Enum):
        return ", ".join(f"`{member.value}`" for member in annotation)
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return "section"
    return _words(parts[0]) if origin is not None and parts else "text"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, BaseModel) or value in ("", [], ()) or field.default_factory is not None:
        return ""
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    return f"`{list(value) if isinstance(value, tuple) else value}`"


def _cell(text: str) -> str:
    """In one line, code in single back quotes, and nothing that Markdown would take for a column or for HTML."""
    parts = re.sub(r"``([^`]+)``", r"`\1`", " ".join(text.split())).replace("|", "\\|").split("`")
    return "`".join(part if number % 2 else part.replace("<", "&lt;") for number, part in enumerate(parts))
