"""The rules by which two maths answers are compared, in the order in which they are applied.

A rule returns a verdict, which ends the comparison; a rewritten pair, which the rules after it see; or None where it does not
apply. The order is part of the specification: ``docs/grading.md`` says why it is so. Each rule has a file of its own.
"""

from __future__ import annotations

from collections.abc import Callable

from selftaught.grading.maths.compare import Comparison, Outcome, Pair
from selftaught.grading.maths.rules.approximation import approximation
from selftaught.grading.maths.rules.bound_name import bound_name
from selftaught.grading.maths.rules.bounds import bounds
from selftaught.grading.maths.rules.caption import caption
from selftaught.grading.maths.rules.chain import chain
from selftaught.grading.maths.rules.chemical import chemical
from selftaught.grading.maths.rules.computer_algebra import computer_algebra
from selftaught.grading.maths.rules.equation import equation
from selftaught.grading.maths.rules.inequality import inequality
from selftaught.grading.maths.rules.matrix import matrix
from selftaught.grading.maths.rules.membership import membership
from selftaught.grading.maths.rules.mixed_number import mixed_number
from selftaught.grading.maths.rules.negation import negation
from selftaught.grading.maths.rules.number_base import number_base
from selftaught.grading.maths.rules.option_label import option_label
from selftaught.grading.maths.rules.option_letter import option_letter
from selftaught.grading.maths.rules.ordered import ordered
from selftaught.grading.maths.rules.other_shapes import other_shapes
from selftaught.grading.maths.rules.outward_brackets import outward_brackets
from selftaught.grading.maths.rules.percent import percent
from selftaught.grading.maths.rules.plus_minus import plus_minus
from selftaught.grading.maths.rules.point_label import point_label
from selftaught.grading.maths.rules.qualifier import qualifier
from selftaught.grading.maths.rules.ratio import ratio
from selftaught.grading.maths.rules.real_line import real_line
from selftaught.grading.maths.rules.residue import residue
from selftaught.grading.maths.rules.scale_words import scale_words
from selftaught.grading.maths.rules.set_builder import set_builder
from selftaught.grading.maths.rules.single_member import single_member
from selftaught.grading.maths.rules.thousands import thousands
from selftaught.grading.maths.rules.transposed import transposed
from selftaught.grading.maths.rules.union import union
from selftaught.grading.maths.rules.unit import unit
from selftaught.grading.maths.rules.unordered import unordered
from selftaught.grading.maths.rules.value import value
from selftaught.grading.maths.rules.words import words

Rule = Callable[[Pair, Comparison], Outcome]

RULES: tuple[Rule, ...] = (
    # Notation that says nothing: rewritten.
    real_line,
    qualifier,
    bound_name,
    thousands,
    mixed_number,
    option_letter,
    transposed,
    outward_brackets,
    chemical,
    # Answers of a kind of their own, before their signs are read as arithmetic.
    ratio,
    words,
    negation,
    number_base,
    residue,
    membership,
    option_label,
    # Relations.
    plus_minus,
    set_builder,
    inequality,
    chain,
    equation,
    # Words before a value, and two ways of writing one value.
    approximation,
    caption,
    # Shapes: brackets and order carry meaning. Only pairs of single values go past these.
    point_label,
    union,
    unordered,
    ordered,
    matrix,
    single_member,
    other_shapes,
    # Single values.
    scale_words,
    bounds,
    percent,
    unit,
    value,
    computer_algebra,
)
"""All rules, first to last."""
