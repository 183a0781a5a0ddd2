"""The page in a real browser: no error, no request, quick, keys work, hostile text stays text. Skips without Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest

from selftaught.report import write_report

from .chromium import Chromium
from .synthetic import make_run
from .test_text import make_hostile

FIRST_VIEW_S = 2.0


def ready(browser: Chromium, place: str) -> None:
    browser.wait(f"document.documentElement.dataset.ready === '{place}'")


def clean(browser: Chromium) -> None:
    assert browser.problems == []
    assert [url for url in browser.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert len([url for url in browser.requests if url.startswith("file:")]) <= 1


def test_results_show_at_once(browser: Chromium, written: Path) -> None:
    browser.open(written / "report.html")
    ready(browser, "results")
    assert browser.run("document.querySelectorAll('#results svg').length") == 9
    assert browser.run("document.querySelector('#results h1').textContent") == "synthetic run"
    assert browser.run("[...document.querySelectorAll('[id^=tab-]')].filter(n => !n.hidden).length") == 1
    browser.run("document.querySelectorAll('[data-tab]')[1].click()")
    assert browser.run("document.getElementById('tab-1').hidden") is False
    clean(browser)


def test_problem_grid_filters(browser: Chromium, written: Path) -> None:
    browser.open(written / "report.html", "#/problems")
    ready(browser, "problems")
    assert browser.run("document.querySelectorAll('.grid tbody tr').length") == 36
    browser.run(
        "(() => { const s = document.querySelector('.filters select'); s.value = 'fixed'; s.dispatchEvent(new Event('change')); })()"
    )
    fixed = browser.run("document.querySelectorAll('.grid tbody tr').length")
    assert 0 < fixed < 36
    clean(browser)


def test_trajectories_side_by_side_and_keys(browser: Chromium, written: Path) -> None:
    browser.open(written / "report.html", "#/problems")
    ready(browser, "problems")
    browser.run("document.querySelector('.grid tbody a').click()")
    ready(browser, "p")
    assert browser.run("document.querySelectorAll('.pane').length") == 2
    assert browser.run("document.querySelector('.panes').textContent").count("the two part here") == 2
    assert browser.run("document.querySelectorAll('math').length") > 0
    assert browser.run("document.querySelectorAll('.block .side')[1].textContent").count("loss 1") == 1
    hinted = browser.run("[...document.querySelectorAll('.pick')].findIndex(n => n.textContent.includes('base+hint'))")
    browser.run(f"document.querySelectorAll('.pick')[{hinted}].click()")
    browser.wait("document.querySelectorAll('.block.h').length === 1")
    browser.press("n")
    assert "complex_calculations" in browser.wait("document.querySelector('.block.h.here')?.textContent")
    browser.press("c")
    browser.wait("!!document.querySelector('.block.t.here')")
    browser.press("s")
    browser.wait("document.querySelectorAll('.pane').length === 1")
    browser.press("r")
    browser.wait("document.querySelector('.pane').textContent.includes('</think>')")
    before = browser.run("location.hash")
    browser.press("j")
    browser.wait(f"location.hash !== '{before}'")
    browser.press("?")
    browser.wait("document.getElementById('help').open")
    clean(browser)


def test_links_from_the_results_open_the_problem(browser: Chromium, written: Path) -> None:
    browser.open(written / "report.html")
    ready(browser, "results")
    name = browser.run("document.querySelector('.reading [data-problem]').dataset.problem")
    browser.run("document.querySelector('.reading [data-problem]').click()")
    ready(browser, "p")
    assert browser.run("document.querySelector('#view h1').textContent") == name
    clean(browser)


def test_hostile_text_does_nothing(browser: Chromium, tmp_path: Path) -> None:
    make_hostile(tmp_path)
    page = write_report(tmp_path).html
    browser.open(page)
    ready(browser, "results")
    clean(browser)
    browser.open(page, "#/problems")
    ready(browser, "problems")
    count = browser.run("document.querySelectorAll('.grid tbody tr').length")
    assert count == 12
    for number in range(count):
        browser.run(f"location.hash = '#/p/{number}'")
        browser.wait(f"document.querySelector('#view h1')?.textContent.startsWith('{number}-')")
        browser.wait("!!document.querySelector('.pane') && !!document.querySelector('.question')")
        shown = browser.run("document.getElementById('view').textContent")
        assert not set(shown) & set("\u202e\u2066\u0000\u0007\u001b")
        assert (
            browser.run(
                "document.querySelectorAll('img, iframe, object, #view svg, #view script, [onerror], [onload]').length"
            )
            == 0
        )
        assert browser.run(
            "[...document.querySelectorAll('#view a')].every(n => n.getAttribute('href').startsWith('#'))"
        )
    browser.run("location.hash = '#/p/0'")
    browser.wait("document.querySelector('#view h1')?.textContent.startsWith('0-')")
    assert "<script>alert(1)</script>" in browser.run("document.querySelector('.pane').textContent")
    clean(browser)


def test_no_route_breaks_the_page(browser: Chromium, written: Path) -> None:
    for fragment in ("#/p/99999", "#/p/x/y", "#/about", "#/p/0/1,2,999999", "#nothing", "#/p/-1"):
        browser.open(written / "report.html", fragment)
        browser.wait("document.documentElement.dataset.ready")
    clean(browser)


def test_both_themes_have_their_colours(browser: Chromium, written: Path) -> None:
    for scheme in ("light", "dark"):
        browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        browser.open(written / "report.html")
        ready(browser, "results")
        ground = browser.run("getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 26)")
    browser.run("document.getElementById('theme').click()")
    assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


@pytest.mark.slow
def test_five_thousand_trajectories_open_within_two_seconds(browser: Chromium, tmp_path: Path) -> None:
    make_run(tmp_path, num_problems=715)
    paths = write_report(tmp_path)
    assert paths.num_trajectories == 5005
    browser.open(paths.html)  # once to warm the browser itself up
    first_view = []
    for _ in range(3):
        browser.open(paths.html)
        ready(browser, "results")
        first_view.append(
            browser.run("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? performance.now()")
            / 1000
        )
    assert min(first_view) < FIRST_VIEW_S
    clean(browser)
