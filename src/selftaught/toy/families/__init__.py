"""Problem families of the embedded reasoner, by group: hard, easy, code, choice."""

from __future__ import annotations

from selftaught.toy.families.choice import CHOICE
from selftaught.toy.families.code import CODE
from selftaught.toy.families.easy import EASY
from selftaught.toy.families.hard import HARD
from selftaught.toy.families.item import Draft, Family, Item

GROUPS: dict[str, dict[str, Family]] = {"hard": HARD, "easy": EASY, "code": CODE, "choice": CHOICE}

__all__ = ["CHOICE", "CODE", "EASY", "GROUPS", "HARD", "Draft", "Family", "Item"]
