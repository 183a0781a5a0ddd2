"""The page in a real browser: no error, no request, quick, keys work, hostile text stays text. Skips without Chromium."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selftaught.report import write_report

from .chromium import Chromium
from .synthetic import MadeRun, make_run
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
        "(() => { const s = document.querySelector('.filters [aria-label=\"all problems\"]'); s.value = 'fixed'; s.dispatchEvent(new Event('change')); })()"
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
    browser.press("?")
    browser.wait("document.getElementById('help').open")
    clean(browser)


def shown(browser: Chromium) -> list[str]:
    """Names of the trajectories that are chosen."""
    names: list[str] = browser.run("[...document.querySelectorAll('.pick.on')].map(n => n.childNodes[1].data)")
    return names


def heading(browser: Chromium) -> str:
    """Id of the problem that is shown."""
    text: str = browser.run("document.querySelector('#view h1').textContent")
    return text


def test_digits_choose_conditions_and_problems_keep_them(browser: Chromium, written: Path) -> None:
    browser.open(written / "report.html", "#/problems")
    ready(browser, "problems")
    browser.run("document.querySelector('.grid tbody a').click()")
    ready(browser, "p")
    assert shown(browser) == ["base", "start"]
    for last in (False, True):  # a loaded machine may lose the first key of a page
        browser.press("2")
        try:
            browser.wait("location.hash.endsWith('/base,base+hint')", timeout_s=10)
            break
        except TimeoutError:
            if last:
                raise
    browser.wait("document.querySelectorAll('.pick.on')[1].textContent.includes('base+hint')")
    first = heading(browser)
    browser.press("j")
    browser.wait(f"document.querySelector('#view h1').textContent !== '{first}'")
    assert shown(browser) == ["base", "base+hint"]
    assert browser.run("location.hash").endswith("/base,base+hint")
    browser.press("k")
    browser.wait(f"document.querySelector('#view h1').textContent === '{first}'")
    browser.run(
        "document.dispatchEvent(new KeyboardEvent('keydown', { key: '%', code: 'Digit5', shiftKey: true, bubbles: true }))"
    )
    browser.wait("location.hash.endsWith('/start,base+hint')")
    browser.run(
        "document.dispatchEvent(new KeyboardEvent('keydown', { key: '!', code: 'Digit1', shiftKey: true, bubbles: true }))"
    )
    browser.wait("location.hash.endsWith('/base,base+hint')")
    browser.press("]")
    browser.wait("location.hash.endsWith('/base,base-rft')")
    browser.press("[")
    browser.wait("location.hash.endsWith('/base,base+hint')")
    clean(browser)


def test_next_and_previous_obey_search_and_filters(browser: Chromium, written: Path) -> None:
    browser.open(written / "report.html", "#/problems")
    ready(browser, "problems")
    browser.run(
        "(() => { const s = document.querySelector('.filters [aria-label=\"all kinds\"]'); s.value = 'code'; s.dispatchEvent(new Event('change')); })()"
    )
    browser.wait("document.querySelectorAll('.grid tbody tr').length < 36")
    ids = browser.run("[...document.querySelectorAll('.grid tbody small')].map(n => n.textContent.split(' · ')[0])")
    assert all(name.startswith("test-code") for name in ids)
    browser.run("document.querySelector('.grid tbody a').click()")
    ready(browser, "p")
    seen = [heading(browser)]
    for _ in ids[1:]:
        before = heading(browser)
        browser.press("j")
        browser.wait(f"document.querySelector('#view h1').textContent !== '{before}'")
        seen.append(heading(browser))
    assert seen == ids
    assert "filtered" in browser.run("document.querySelector('.crumb').textContent")
    clean(browser)


def test_addresses_name_problem_and_trajectories(browser: Chromium, written: Path, made: MadeRun) -> None:
    """They hold when rows are added: nothing in them is a number of the row."""
    problem = made.problems[5].id
    for address in (f"#/p/test/{problem}/start,base-rft", f"#/p/elsewhere/{problem}/start,base-rft"):
        browser.open(written / "report.html", address)
        ready(browser, "p")
        assert heading(browser) == problem
        assert shown(browser) == ["base-rft", "start"]
    browser.open(written / "report.html", f"#/p/{problem}")
    ready(browser, "p")
    assert heading(browser) == problem
    clean(browser)


def test_search_looks_into_trajectories(browser: Chromium, written: Path, made: MadeRun) -> None:
    word = "for value in range(1, 12)"
    holders = {t.problem_id for rows in made.trajectories.values() for t in rows if word in t.text_after_prompt()}
    assert 0 < len(holders) < 36 or len(holders) == 36
    browser.open(written / "report.html", "#/problems")
    ready(browser, "problems")
    browser.run(
        "(() => { const w = document.querySelector('.filters [aria-label=\"where to search\"]'); w.value = 'trajectories';"
        " w.dispatchEvent(new Event('change')); const s = document.querySelector('.filters input');"
        f" s.value = {json.dumps(word.upper())}; s.dispatchEvent(new Event('input')); }})()"
    )
    browser.wait("document.querySelectorAll('.grid a.hit').length > 0")
    found = browser.run(
        "[...document.querySelectorAll('.grid tbody small:first-of-type')].map(n => n.textContent.split(' · ')[0])"
    )
    assert set(found) == holders
    browser.run("document.querySelector('.grid a.hit').click()")
    ready(browser, "p")
    assert word in browser.run("document.querySelector('#view').textContent")
    clean(browser)


def test_a_trajectory_can_be_copied_and_saved(browser: Chromium, written: Path, made: MadeRun, tmp_path: Path) -> None:
    problem = made.problems[0].id
    browser.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    browser.open(written / "report.html", f"#/p/test/{problem}/base,start")
    ready(browser, "p")
    browser.run("document.querySelectorAll('.takeaway button')[1].click()")
    saved = tmp_path / f"{problem}-base.json"
    for _ in range(100):
        if saved.exists() and saved.stat().st_size:
            break
        browser.run("new Promise((done) => setTimeout(done, 50))")
    record = json.loads(saved.read_text())
    trajectory = next(t for t in made.trajectories["base"] if t.problem_id == problem)
    assert (record["trajectory_id"], record["condition"]) == (trajectory.id, "base")
    assert [span["text"] for span in record["spans"]] == [span.text for span in trajectory.spans]
    assert [span["tokens"] for span in record["spans"]] == [len(span.token_ids) for span in trajectory.spans]
    assert record["seconds"] == round(trajectory.wall_s, 3)
    assert "seconds" in browser.run("document.querySelector('.costs').textContent")
    clean(browser)


@pytest.mark.parametrize("width", [390, 800, 1400])
def test_nothing_is_wider_than_the_window(browser: Chromium, written: Path, width: int) -> None:
    """A phone, half a screen, a whole one; what does not fit scrolls in its own box and says so."""
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    try:
        for fragment, place in (
            ("", "results"),
            ("#/problems", "problems"),
            ("#/about", "about"),
            ("#/p/test-hard-0000", "p"),
        ):
            browser.open(written / "report.html", fragment)
            ready(browser, place)
            assert browser.run("document.documentElement.scrollWidth") <= width, fragment
            unsigned = (
                "[...document.querySelectorAll('.wide')].filter(n => n.scrollWidth > n.clientWidth + 2"
                " && !n.classList.contains('scrolls')).length"
            )
            assert browser.run(unsigned) == 0, fragment
    finally:
        browser.call("Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False)
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
    links = browser.run(
        "[...document.querySelectorAll('.grid tbody td.q > a:first-child')].map(n => n.getAttribute('href'))"
    )
    for number in range(count):
        browser.run(f"location.hash = {json.dumps(links[number])}")
        browser.wait(f"document.querySelector('#view h1')?.textContent.startsWith('{number}-')")
        browser.wait("!!document.querySelector('.pane') && !!document.querySelector('.question')")
        text = browser.run("document.getElementById('view').textContent")
        assert not set(text) & set("\u202e\u2066\u0000\u0007\u001b")
        assert (
            browser.run(
                "document.querySelectorAll('img, iframe, object, #view svg, #view script, [onerror], [onload]').length"
            )
            == 0
        )
        assert browser.run(
            "[...document.querySelectorAll('#view a')].every(n => n.getAttribute('href').startsWith('#'))"
        )
    browser.run(f"location.hash = {json.dumps(links[0])}")
    browser.wait("document.querySelector('#view h1')?.textContent.startsWith('0-')")
    assert "<script>alert(1)</script>" in browser.run("document.querySelector('.pane').textContent")
    clean(browser)


def test_no_route_breaks_the_page(browser: Chromium, written: Path) -> None:
    for fragment in (
        "#/p/99999",
        "#/p/x/y",
        "#/about",
        "#/p/0/1,2,9",
        "#nothing",
        "#/p/",
        "#/p",
        "#/p/%ZZ/%",
        "#/p/a/b/c/d",
    ):
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
