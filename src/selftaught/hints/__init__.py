"""Hints: what is said to a model in mid-thought, and the policy that decides where (START section 2.1).

``library`` reads ``library.yaml``; ``debug`` renders the debug hint of code problems; ``policy`` decides.
"""

from __future__ import annotations

from selftaught.hints.functions import Language
from selftaught.hints.library import HintLibrary, On, load_library, split_name
from selftaught.hints.policy import HintChoice, HintPolicy, Occasion

__all__ = ["HintChoice", "HintLibrary", "HintPolicy", "Language", "Occasion", "On", "load_library", "split_name"]
