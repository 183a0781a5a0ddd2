"""Chat templates: the Jinja text of a model, rendered as transformers renders it.

transformers adds to Jinja: loop controls, ``{% generation %}`` (it marks what the assistant said and prints its body),
a ``tojson`` that leaves HTML characters alone, ``raise_exception`` and ``strftime_now``. Templates use all of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from selftaught.errors import EngineError
from selftaught.tokens.files import ModelFiles

if TYPE_CHECKING:
    from jinja2 import Environment, Template

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""Used for a model that ships no template."""


class ChatTemplate:
    """One model's template and the special strings that it may name."""

    def __init__(self, source: str, variables: dict[str, str]) -> None:
        self.source = source
        self.variables = variables

    @classmethod
    def of(cls, files: ModelFiles) -> ChatTemplate:
        """The template of a model; ChatML if it has none."""
        return cls(files.chat_template or CHATML, _special_strings(files.tokenizer_config))

    @cached_property
    def _compiled(self) -> Template:
        from jinja2 import TemplateError

        try:
            return _environment().from_string(self.source)
        except TemplateError as error:
            raise EngineError(f"the chat template cannot be read: {error}".replace("\n", " ")) from None

    def render(self, messages: Sequence[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """The text of the turn so far, ending where the assistant begins. EngineError if the template refuses it."""
        from jinja2 import TemplateError

        try:
            return self._compiled.render(
                messages=list(messages),
                add_generation_prompt=add_generation_prompt,
                tools=None,
                documents=None,
                **self.variables,
            )
        except (TemplateError, TypeError) as error:
            raise EngineError(f"the chat template cannot render the messages: {error}".replace("\n", " ")) from None


def _special_strings(tokenizer_config: dict[str, Any]) -> dict[str, str]:
    """What a template may name: ``bos_token``, ``eos_token`` and the like, as text."""
    extra = tokenizer_config.get("extra_special_tokens")
    named = {**tokenizer_config, **(extra if isinstance(extra, dict) else {})}
    strings = {}
    for name, value in named.items():
        if name.endswith("_token"):
            text = value.get("content") if isinstance(value, dict) else value
            if isinstance(text, str):
                strings[name] = text
    return strings


def _environment() -> Environment:
    """Jinja with the names that templates use. It runs in Jinja's sandbox: a template is its author's code."""
    from jinja2 import nodes
    from jinja2.ext import Extension
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """``{% generation %}…{% endgeneration %}`` prints what stands inside; where it stood is not needed here."""

        tags: set[str] = {"generation"}  # noqa: RUF012

        def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body).set_lineno(line)

    def raise_exception(message: str) -> None:
        raise EngineError(f"the chat template refused the messages: {message}")

    def tojson(
        value: Any,
        ensure_ascii: bool = False,
        indent: int | None = None,
        separators: tuple[str, str] | None = None,
        sort_keys: bool = False,
    ) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)  # the local day, as transformers
    return environment
