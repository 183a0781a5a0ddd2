"""What a report shows of forks: the uplift of each hint, as rows of ``report.json`` (docs/adaptive.md)."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from selftaught.records import Record


class Verdict(StrEnum):
    """What may be said of a hint, after the correction for the number of rows."""

    HELPS = "helps"
    HARMS = "harms"
    NO_CHANGE = "no change"
    """The whole interval lies within 5 points of 0."""
    TOO_FEW = "too few pairs to say"


class UpliftRow(Record):
    """One hint (at one place, for one kind of problem), from pairs of a hinted and a plain branch of one prefix.

    Shares and differences are fractions; they are weighted by the inverse probability of the place. Counts are not
    weighted. An empty ``hint``, ``place``, ``kind`` or ``difficulty`` means that the row holds all of them.
    """

    hint: str = ""
    """The hint's function."""
    place: str = ""
    kind: str = ""
    difficulty: str = ""
    n: int
    """Pairs."""
    num_problems: int
    effective: float
    """Independent, equally weighted pairs that would know as much."""
    gain: int
    """Only the hinted branch is right."""
    loss: int
    """Only the plain branch is right."""
    both: int
    neither: int
    plain_truncated: int
    """Pairs whose plain branch was cut off; it counts as wrong."""
    hint_truncated: int
    gain_rate: float
    loss_rate: float
    diff: float
    """``gain_rate - loss_rate``."""
    ci95: tuple[float, float]
    loss_at_most: float
    """One-sided 95 % upper bound of the loss rate."""
    p_value: float
    test: str
    p_adjusted: float
    """Holm's correction for the rows of the table."""
    verdict: Verdict
    needed: int | None = None
    """Pairs with which a difference as large as this one would be found four times in five; None where it is 0."""
    accepted: int = 0
    """Hinted branches that would enter D_seed."""
    tokens: int = 0
    """Sampled for these pairs, each shared prefix and each plain branch once."""
    extra_tokens: float = 0.0
    """Mean of the hinted branch's tokens less the plain one's."""

    @property
    def tokens_per_accepted(self) -> float | None:
        """Tokens sampled for one accepted sample; None without any."""
        return self.tokens / self.accepted if self.accepted else None

    @property
    def tie(self) -> int:
        """Pairs whose branches are both right or both wrong."""
        return self.both + self.neither


class UpliftTable(Record):
    """The uplift of a probe: all pairs, then each hint, then each hint by place and kind."""

    name: str = ""
    """Where the forks lie, relative to the run."""
    model: str = ""
    num_forks: int
    num_problems: int
    tokens: int
    """Sampled for all branches of all forks, each prefix once."""
    accepted: int
    total: list[UpliftRow] = Field(default_factory=list)
    """One row, of all pairs."""
    by_hint: list[UpliftRow] = Field(default_factory=list)
    by_place: list[UpliftRow] = Field(default_factory=list)
    """By hint and place, all kinds of problems together."""
    rows: list[UpliftRow] = Field(default_factory=list)
    """By hint, place and kind."""
