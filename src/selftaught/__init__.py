"""selftaught: the open START. A reasoner that teaches itself to use Python (arXiv 2503.04625)."""

__version__ = "0.1.0"
