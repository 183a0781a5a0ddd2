"""``report.html``: one file with everything in it, readable offline and closed to whatever a model wrote.

The first view (tables and figures) is in the document as HTML; problems and trajectories lie in compressed data blocks
that the script opens on demand and puts into the document as text. The policy in the head allows this one script and
this one style by their hashes, no other source, no request, and no assignment of markup from strings.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

from selftaught.evals.records import ReportData
from selftaught.report import identity, sections
from selftaught.report.charts import Figure, Palette
from selftaught.report.payload import Payload
from selftaught.report.text import html_text

_SCRIPTS = (
    "vendor/temml.min.js", "data.js", "highlight.js", "tex.js", "trajectory.js", "sample.js", "search.js", "mosaic.js",
    "problems.js", "problem.js", "app.js",
)  # fmt: skip
"""In the order in which they stand in the page's one script."""
_LIVE = "live.js"
"""Only in a page that a server sends."""

_KEYS = (
    ("n p", "next, previous hint"),
    ("c C", "next, previous Python call"),
    ("e E", "next, previous failed call"),
    ("j k", "next, previous problem of the filtered list, same trajectories"),
    ("1 … 9", "this condition at the right (with Shift: at the left)"),
    ("[ ]", "previous, next trajectory at the right"),
    ("s", "one trajectory or two side by side"),
    ("r", "rendered or exact text"),
    ("g", "all problems"),
    ("0", "results"),
    ("?", "this list"),
)


def asset(name: str) -> str:
    """Text of a file of ``report/assets``."""
    return resources.files("selftaught.report").joinpath("assets", *name.split("/")).read_text(encoding="utf-8")


def style(palette: Palette) -> str:
    """The page's style: colours of both themes, then the rules."""
    light, dark = palette.variables(dark=False), palette.variables(dark=True)
    themes = (
        f":root{{color-scheme:light;{light}}}"
        f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{color-scheme:dark;{dark}}}}}"
        f":root[data-theme=dark]{{color-scheme:dark;{dark}}}"
    )
    dots = "".join(f".d-{name}{{background:var(--{name})}}" for name in palette.colours)
    return themes + palette.class_rules(literal=False) + "\n" + asset("vendor/temml.css") + asset("page.css") + dots


def script(live: bool = False) -> str:
    """The page's script: its parts in one strict function."""
    names = (*_SCRIPTS, *((_LIVE,) if live else ()))
    licence = f"/* Temml (temml.org), in this script and style:\n{asset('vendor/temml.LICENSE')}*/\n"
    return licence + '(() => {\n"use strict";\n' + "\n".join(asset(name) for name in names) + "\n})();\n"


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def policy(css: str, js: str, live: bool = False) -> str:
    """The content security policy of a page with this style and this script; a live page may ask its own server."""
    ask = "connect-src 'self'; " if live else ""
    return (
        f"default-src 'none'; script-src {_hash(js)}; style-src {_hash(css)}; img-src data:; {ask}"
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def render_page(
    data: ReportData,
    figures: dict[str, Figure],
    palette: Palette,
    payload: Payload,
    questions: sections.Questions,
    live: bool = False,
) -> str:
    """The whole document. ``live``: it looks for news at the server that it came from."""
    css, js = style(palette), script(live)
    keys = "".join(
        f"<dt>{' '.join(f'<kbd>{html_text(key)}</kbd>' for key in pair.split())}</dt><dd>{html_text(words)}</dd>"
        for pair, words in _KEYS
    )
    blocks = [f'<script type="application/octet-stream" id="index">{payload.index}</script>']
    blocks += [
        f'<script type="application/octet-stream" id="chunk-{i}">{chunk}</script>'
        for i, chunk in enumerate(payload.chunks)
    ]
    title = html_text(data.title)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy(css, js, live)}">',
            '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="referrer" content="no-referrer">',
            f'<title>{title}</title><link rel="icon" href="data:,">',
            f"<style>{css}</style></head><body>",
            '<header class="bar"><div><a class="brand" href="#/">selftaught</a><nav aria-label="parts of the report">',
            '<a href="#/" data-place="results" aria-current>Results</a><a href="#/problems" data-place="problems">Problems</a>',
            '<a href="#/about" data-place="about">About this run</a></nav>',
            *(['<span class="live" id="live" role="status">live</span>'] if live else []),
            '<button class="quiet" id="theme" type="button"><span class="theme-word">theme: </span><span id="theme-name">auto</span></button></div></header>',
            "<main><noscript><p>Tables and figures are readable without JavaScript; the trajectories need it.</p></noscript>",
            f'<div id="results">{sections.results(data, figures, palette, questions)}</div>',
            f'<div id="about" hidden>{sections.about(data)}</div>',
            '<div id="view" hidden><p class="empty">Opening …</p></div>',
            f'<p class="foot">{identity.footer(data)}</p></main>',
            f'<dialog id="help"><h2>Keys</h2><dl>{keys}</dl>',
            '<button class="quiet" id="close-help" type="button">Close</button></dialog>',
            *blocks,
            f"<script>{js}</script></body></html>",
            "",
        ]
    )
