"""Figures of matplotlib's that leave a cell as images: which ones, how large, and what a hostile cell can do with that way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from selftaught.records import ExecStatus
from selftaught.sandbox import BlockingSandbox, Sandbox, SandboxSettings, Tier
from selftaught.sandbox.output import is_png

PLOT = "import matplotlib.pyplot as plt\nplt.figure(figsize=(2, 2))\nplt.plot([1, 2], [3, 4])\n"
FIND_NONCE = (
    "import sys, socket\nframe = sys._getframe()\n"
    "while 'nonce' not in frame.f_locals: frame = frame.f_back\n"
    "nonce = frame.f_locals['nonce']\ncontrol = socket.socket(fileno=3)\n"
)


@pytest.fixture(scope="module")
def drawing() -> Iterator[BlockingSandbox]:
    """A sandbox that gives two small images back for each cell."""
    settings = SandboxSettings(preload=(), max_images=2, max_image_bytes=20_000, timeout_s=60, light=False)
    with Sandbox(settings) as opened:
        yield opened


@pytest.mark.parametrize(
    ("rest", "num"),
    [
        ("plt.show()\nplt.plot([1])\nplt.show()", 2),  # show closes a figure
        ("plt.savefig('a.png')\nplt.close()", 1),
        ("plt.savefig('a.png')\nplt.show()", 1),  # the same figure once
        ("plt.gcf().show()", 1),
        ("1 / 0", 1),  # open when the cell ends, whatever ended it
        ("import matplotlib\nmatplotlib.use('Agg')\nplt.show()", 1),
        ("plt.close()", 0),
        ("import io\nplt.savefig(io.BytesIO())\nplt.close()", 0),
    ],
)
def test_a_figure_comes_out_once(drawing: BlockingSandbox, rest: str, num: int) -> None:
    result = drawing.run(PLOT + rest)
    assert len(result.images) == num and all(map(is_png, result.images))
    assert result.output.count("[figure ") == num, "the model hears of each figure"


def test_what_cannot_be_drawn_says_so(drawing: BlockingSandbox) -> None:
    result = drawing.run(PLOT + "_ = plt.title(r'$\\frac{$')")
    assert result.status is ExecStatus.OK and not result.images
    assert result.output.startswith("[no figure: ValueError: ") and result.output.count("\n") == 1
    too_large = drawing.run(
        "import numpy, matplotlib.pyplot as plt\n_ = plt.imshow(numpy.random.rand(300, 300), interpolation='none')"
    )
    assert not too_large.images and "more than 20000]" in too_large.output
    too_many = drawing.run(PLOT * 4)
    assert len(too_many.images) == 2 and "more than 2 figures" in too_many.output


def test_a_session_shows_each_figure_in_its_cell(drawing: BlockingSandbox) -> None:
    with drawing.session() as session:
        assert len(session.run(PLOT).images) == 1
        assert session.run("plt.get_fignums()").output == "[]\n"
        assert session.run("1").images == ()


def test_a_cell_that_sends_images_itself_gets_no_further_than_the_limits(drawing: BlockingSandbox) -> None:
    flood = drawing.run(FIND_NONCE + "for _ in range(20000): control.send(nonce + b'P' + bytes(30000))")
    assert flood.images == (), "what is no PNG is dropped"
    never_ending = drawing.run(FIND_NONCE + "for _ in range(20000): control.send(nonce + b'p' + bytes(30000))")
    assert never_ending.images == ()
    bomb = "import struct\npng = b'\\x89PNG\\r\\n\\x1a\\n' + bytes(4) + b'IHDR' + struct.pack('>II', 60000, 60000) + bytes(9)\n"
    assert drawing.run(FIND_NONCE + bomb + "control.send(nonce + b'P' + png)").images == ()
    assert drawing.run("1").output == "1\n"


def test_a_cell_that_breaks_the_way_loses_its_own_figures(drawing: BlockingSandbox) -> None:
    broken = "import matplotlib._pylab_helpers as helpers\nhelpers.Gcf = None\n"
    with drawing.session() as session:
        assert session.run(PLOT + broken).images == ()
        assert session.run("2").output == "2\n"


@pytest.mark.parametrize("tier", [Tier.REDUCED])
async def test_at_the_lower_tier_too(settings: Callable[..., SandboxSettings], tier: Tier) -> None:
    async with Sandbox(settings(max_images=1, tier=tier, timeout_s=60, light=False)) as sandbox:
        assert len((await sandbox.run(PLOT)).images) == 1


async def test_without_matplotlib_preloaded_open_figures_still_come_out(
    settings: Callable[..., SandboxSettings],
) -> None:
    async with Sandbox(settings(max_images=1, timeout_s=60)) as sandbox:
        await asyncio.gather(*sandbox._light_start)
        result = await sandbox.run("plt = __import__('mat' + 'plotlib.pyplot').pyplot\nplt.plot([1])")
        assert len(result.images) == 1


async def test_off_there_is_nothing_of_it(sandbox: Sandbox) -> None:
    result = await sandbox.run(PLOT)
    assert result.images == () and "[figure" not in result.output
    assert "matplotlib" not in sandbox.settings.preload
