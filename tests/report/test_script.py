"""The page's script, function by function, run in a browser. Skips without Chromium."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from selftaught.report.page import asset

from .chromium import Chromium

PARTS = ("vendor/temml.min.js", "data.js", "highlight.js", "tex.js", "trajectory.js")


@pytest.fixture
def script(browser: Chromium, tmp_path: Path) -> Chromium:
    """A blank page with the script's parts at hand."""
    page = tmp_path / "blank.html"
    page.write_text("<!doctype html><title>blank</title><body></body>")
    browser.open(page)
    body = "\n".join(asset(name) for name in PARTS)
    names = "el, renderTex, highlight, prose, regions, pieces, firstDifference, drawSpans"
    browser.run(f"Object.assign(window, (() => {{ {body}\nreturn {{ {names} }}; }})()) && true")
    return browser


def tex(script: Chromium, source: str, block: bool = False) -> str:
    result: str = script.run(
        f"(() => {{ const n = renderTex({json.dumps(source)}, {json.dumps(block)}); return n.nodeType === 3 ? 'text:' + n.data : n.innerHTML; }})()"
    )
    return result


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("x^2", ["<msup", "<mi>x</mi>", "<mn"]),
        (r"\frac12", ["<mfrac"]),
        (r"\sqrt[3]{8}", ["<mroot"]),
        (r"\boxed{42}", ["42", "border"]),
        (r"\left(\frac{a}{b}\right]", ["<mfrac", "]</mo>"]),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", ["<mtable", "<mtd"]),
        (r"\begin{cases}1 & x>0\\0\end{cases}", ["<mtable"]),
        (r"\begin{aligned}a&=1\\b&=2\end{aligned}", ["<mtable"]),
        (r"\text{if } n", ["<mtext>if"]),
        (r"7^{2023} \equiv 1 \pmod{1000}", ["mod"]),
        (r"\operatorname{lcm}(4, 6)", ["lcm"]),
        (r"\mathbb{Z}", ["ℤ"]),
        (r"\unknown{x}", ["text:$\\unknown{x}$"]),
        (r"\constructor \__proto__", ["text:$"]),
    ],
)
def test_tex_becomes_mathml(script: Chromium, source: str, parts: list[str]) -> None:
    shown = tex(script, source)
    assert [part for part in parts if part not in shown] == []


def test_sums_have_limits_only_in_displays(script: Chromium) -> None:
    assert "munderover" in tex(script, r"\sum_{k=1}^{n} k", block=True)
    assert "msubsup" in tex(script, r"\sum_{k=1}^{n} k")


@pytest.mark.parametrize(
    "source",
    [
        r"\href{javascript:alert(1)}{x}",
        r"\url{http://evil.example/}",
        r"\includegraphics[height=1em]{http://evil.example/x.png}",
        r"\class{fixed}{x}",
        r"\id{view}{x}",
        r"\style{position:fixed;inset:0}{x}",
        r"\data{problem=1}{x}",
        r"\textbf{bold} \prescript{a}{b}{c}",
        r"\gdef\x{\x\x}\x",
        r"\def\a{\b\b}\def\b{\a\a}\a",
    ],
)
def test_formulas_cannot_leave_their_place(script: Chromium, source: str) -> None:
    """No link, no picture, no id or style attribute, no class of the page, no endless macro."""
    check = (
        f"(() => {{ const n = renderTex({json.dumps(source)}, false); if (n.nodeType === 3) return [];"
        " return [...n.querySelectorAll('*'), n].flatMap(m => m.getAttributeNames().filter(a => /^(href|src|id|on.*|data-.*)$/.test(a)"
        " || (a === 'class' && /fixed/.test(m.className)))); })()"
    )
    assert script.run(check) == []
    assert "evil.example/x.png" not in tex(script, source).replace("text:", "") or tex(script, source).startswith(
        "text:"
    )


@pytest.mark.parametrize(
    "source",
    [
        "{" * 5000,
        "}" * 50,
        r"\left(" * 200,
        r"\begin{a}" * 90,
        "x" * 4000,
        r"\frac",
        r"\sqrt[",
        "^^^",
        "_",
        "&",
        "\\",
        r"\text{",
        "{a}{b",
    ],
)
def test_broken_tex_is_text_or_maths_but_never_an_error(script: Chromium, source: str) -> None:
    assert isinstance(tex(script, source), str)


def test_markup_in_tex_stays_text(script: Chromium) -> None:
    assert "<img" not in tex(script, r"\text{<img src=x>} <img src=x onerror=alert(1)>")


def test_highlighting_keeps_every_character(script: Chromium) -> None:
    rng = random.Random(5)
    pieces = [
        "def f(x):\n",
        '"""doc',
        "'a\\'b'",
        "# note\n",
        "0x1F",
        "1_000.5e-3",
        "f'{x}'",
        "class A:",
        " for i in range(3)",
        "\n",
        "'''",
        '"',
        "é∑",
        "</b>",
    ]
    for _ in range(60):
        code = "".join(rng.choice(pieces) for _ in range(12))
        assert script.run(f"highlight({json.dumps(code)}).textContent") == code
    shown = script.run(
        "(() => { const n = document.createElement('i'); n.append(highlight('def f():  # x')); return n.innerHTML; })()"
    )
    assert shown == '<span class="hl-k">def </span><span class="hl-d">f</span>():  <span class="hl-c"># x</span>'


def test_prices_are_not_maths(script: Chromium) -> None:
    assert script.run("prose('It costs $5 and then $7 more.').querySelectorAll('math').length") == 0
    assert script.run("prose('So $x=5$ holds.').querySelectorAll('math').length") == 1
    assert script.run(r"prose('The answer is \\boxed{\\frac{1}{2}}.').querySelectorAll('math').length") == 1


def spans(*parts: tuple[str, str]) -> str:
    return json.dumps([[source, text, 1, 1] for source, text in parts])


def test_code_is_found_across_spans(script: Chromium) -> None:
    trace = spans(
        ("p", "question"),
        ("m", "Wait, "),
        ("h", "use Python.\n```python\n"),
        ("m", "print(1)\n```\n"),
        ("t", "```output\n1\n```\n"),
        ("m", "So 1.</think>\n"),
    )
    found = script.run(f"pieces({trace}, -1).map(p => [p.number, p.mode, p.text])")
    assert found == [
        [0, "prompt", "question"],
        [1, "prose", "Wait, "],
        [2, "prose", "use Python.\n"],
        [2, "code", "```python\n"],
        [3, "code", "print(1)\n```\n"],
        [4, "output", "```output\n1\n```\n"],
        [5, "prose", "So 1.</think>\n"],
    ]


@pytest.mark.parametrize("token", ["<|im_end|>", "<|endoftext|>", "</s>", "<end_of_turn>", "<｜end▁of▁sentence｜>"])
def test_a_closing_fence_may_stand_before_a_control_token(script: Chromium, token: str) -> None:
    trace = spans(("p", "q"), ("m", f"So:\n```python\nprint(1)\n```{token}"))
    found = script.run(f"pieces({trace}, -1).map(p => [p.mode, p.text])")
    assert found[-2:] == [["code", "```python\nprint(1)\n```"], ["prose", token]]
    shown = script.run(f"drawSpans({trace}, {{ raw: false, split: -1 }}).querySelector('.code').textContent")
    assert shown == "pythonprint(1)"


def test_pieces_join_to_the_exact_text(script: Chromium) -> None:
    rng = random.Random(9)
    bits = [
        "word ",
        "```python\n",
        "```\n",
        "```<|im_end|>",
        "```</s>\n",
        "\n",
        "x = 1\n",
        "``` not a fence",
        "</think>",
        "$x$",
        "  ```\n",
    ]
    for _ in range(60):
        parts = [("p", "q")] + [(rng.choice("mmht"), "".join(rng.choice(bits) for _ in range(6))) for _ in range(5)]
        whole = "".join(text for source, text in parts if source != "p")
        cut = rng.randrange(len(whole))
        for split in (-1, cut):
            joined = script.run(
                f"pieces({spans(*parts)}, {split}).filter(p => p.mode !== 'prompt').map(p => p.text).join('')"
            )
            assert joined == whole
        raw = script.run(
            f"[...drawSpans({spans(*parts)}, {{ raw: true, split: -1 }}).querySelectorAll('.text')].slice(1).map(n => n.textContent).join('')"
        )
        assert raw == whole


def test_first_difference_is_at_a_word(script: Chromium) -> None:
    left, right = spans(("p", "a"), ("m", "one two three")), spans(("p", "b"), ("m", "one tw"), ("m", "enty"))
    assert script.run(f"firstDifference({left}, {right})") == len("one ")
    assert script.run(f"firstDifference({left}, {left})") == -1


def test_a_long_line_is_drawn_in_steps(script: Chromium) -> None:
    trace = spans(("m", "x" * 100_000))
    assert (
        script.run(f"drawSpans({trace}, {{ raw: false, split: -1 }}).querySelector('.text').textContent.length")
        < 30_000
    )
