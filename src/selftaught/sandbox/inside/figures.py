"""Figures of matplotlib's on their way out of a cell: as PNG, each once, in the order in which they were made.

What comes out: a figure that is shown, that is saved to a file, or that is still open when the cell ends. ``show`` and
the end of the cell close it, as a notebook does. The cell prints one line for each, so the model hears of it, too.

Off, this costs nothing: the zygote never imports matplotlib for it. Nothing here is a wall. A cell that takes it apart
loses its own figures, and the parent looks at each image itself.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import Any

_BytesIO = io.BytesIO
_PathLike, _fspath = os.PathLike, os.fspath
_GCF_MODULE = "matplotlib._pylab_helpers"
_ROOM_FOR_REASON = 300  # characters


class Figures:
    """The figures of one interpreter. ``max_images`` is for each cell; 0 switches all off."""

    def __init__(self) -> None:
        self.max_images = 0
        self.max_bytes = 0
        self._made: dict[int, tuple[Any, bytes | str]] = {}
        """By identity: the figure, which keeps the number from being given again, and its PNG or why there is none."""
        self._save: Callable[..., Any] | None = None
        self._say: Callable[[str], None] | None = None

    def set_up(self, max_images: int, max_bytes: int) -> None:
        """In the zygote, after the imports: switch it on, and have matplotlib tell us when a figure is shown or saved."""
        self.max_images, self.max_bytes = max_images, max_bytes
        if not max_images or "matplotlib.pyplot" not in sys.modules:
            return
        from matplotlib import pyplot
        from matplotlib.backend_bases import FigureManagerBase
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figures = self

        class Manager(FigureManagerBase):  # type: ignore[misc]
            """What ``show`` goes to."""

            def show(self) -> None:
                """Take this figure."""
                figures.take(self.canvas.figure)

            @classmethod
            def pyplot_show(cls, *, block: bool | None = None) -> None:
                """Take all open figures and close them."""
                figures.take_open()

        save = self._save = Figure.savefig

        def savefig(self: Any, fname: Any, *args: Any, **options: Any) -> Any:
            result = save(self, fname, *args, **options)
            if isinstance(fname, str | _PathLike):
                figures.take(self)
            return result

        savefig.__doc__ = save.__doc__
        Figure.savefig = savefig
        FigureCanvasAgg.manager_class = Manager
        pyplot.switch_backend("agg")

    def take(self, figure: Any) -> None:
        """Draw ``figure`` as it is now. Raises nothing that matplotlib raises: the reason takes the image's place."""
        key = id(figure)
        if key not in self._made and len(self._made) >= self.max_images:
            self._made.setdefault(0, (None, f"more than {self.max_images} figures; the others are left out"))
            return
        try:
            buffer = _BytesIO()
            (self._save or type(figure).savefig)(figure, buffer, format="png", bbox_inches="tight")
            image: bytes | str = buffer.getvalue()
            if len(image) > self.max_bytes:
                image = f"the image has {len(image)} bytes, more than {self.max_bytes}"
        except Exception as error:
            image = " ".join(f"{type(error).__name__}: {error}".split())[:_ROOM_FOR_REASON]
        self._made[key] = (figure, image)

    def take_open(self) -> None:
        """Take and close every figure that pyplot has open."""
        gcf = sys.modules.get(_GCF_MODULE)
        if gcf is None:
            return
        for manager in list(gcf.Gcf.figs.values()):
            self.take(manager.canvas.figure)
        gcf.Gcf.destroy_all()

    def finish(self, say: Callable[[str], None]) -> list[bytes]:
        """After a cell: its images, one line said of each. Whatever the cell broke may raise here."""
        if not self.max_images:
            return []
        try:
            self.take_open()
            made = list(self._made.values())
        finally:
            self._made = {}
        images: list[bytes] = []
        for _, image in made:
            if isinstance(image, bytes):
                images.append(image)
                say(f"[figure {len(images)}: {_size(image)} pixels]\n")
            else:
                say(f"[no figure: {image}]\n")
        return images


def _size(image: bytes) -> str:
    """Width x height of a PNG, from its header."""
    return f"{int.from_bytes(image[16:20], 'big')} x {int.from_bytes(image[20:24], 'big')}"


FIGURES = Figures()
"""Of this process: set up in the zygote, inherited by each child."""
