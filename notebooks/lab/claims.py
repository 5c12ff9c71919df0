"""Answers for what is claimed and when it counts as shown; the numbers themselves are in claims.toml."""

import statistics
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lab.measure import Run

Side = Literal["bad", "good"]
SIDES: tuple[Side, ...] = ("bad", "good")
# A run is near its bound, and looked at again, within the lesser of: this part of the bound itself, and this part of
# the way to the other side's bound. (The second alone would doubt a good 1 % under 5 %, the first a bad 100 over 95.)
NEAR_OF_BOUND = 0.1
NEAR_OF_GAP = 0.05
RUNS_WHEN_IN_DOUBT = 3


class Also(BaseModel):
    """A metric that is reported beside the primary one; scenarios give it under `key`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    metric: str
    unit: str


class Claim(BaseModel):
    """One claim: what is measured, which way is better, and what each server must measure for it to be shown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^\d\d$")]
    slug: str
    title: str
    metric: str
    unit: str
    better: Literal["lower", "higher"]
    bad_at_least: float | None = None
    good_at_most: float | None = None
    bad_at_most: float | None = None
    good_at_least: float | None = None
    reason: str
    also: tuple[Also, ...] = ()

    @model_validator(mode="after")
    def _has_the_bounds_of_its_direction(self) -> Self:
        lower = (self.bad_at_least, self.good_at_most)
        higher = (self.bad_at_most, self.good_at_least)
        wanted, unwanted = (lower, higher) if self.better == "lower" else (higher, lower)
        if None in wanted or unwanted != (None, None):
            raise ValueError(f"claim {self.id}: bounds do not fit better = {self.better!r}")
        return self

    @property
    def number(self) -> int:
        """The lesson's number, 1 to 10."""
        return int(self.id)

    def bound(self, side: Side) -> float:
        """What that side must reach."""
        names = {"lower": {"bad": "bad_at_least", "good": "good_at_most"}}
        names["higher"] = {"bad": "bad_at_most", "good": "good_at_least"}
        return float(getattr(self, names[self.better][side]))

    def holds(self, side: Side, value: float) -> bool:
        """Whether a value is on that side's own side of its bound."""
        wants_more = (self.better == "lower") == (side == "bad")
        return value >= self.bound(side) if wants_more else value <= self.bound(side)

    def is_doubtful(self, side: Side, value: float) -> bool:
        """Whether a value misses its bound or lies so near it that it should be measured again."""
        if not self.holds(side, value):
            return True
        bound, gap = self.bound(side), abs(self.bound("bad") - self.bound("good"))
        return value != bound and abs(value - bound) < min(NEAR_OF_BOUND * abs(bound), NEAR_OF_GAP * gap)


@dataclass(frozen=True)
class Verdict:
    """What the runs of both sides say of a claim; `reason` is None when it is shown."""

    outcome: Literal["shown", "not_shown", "inconclusive"]
    reason: str | None = None


def verdict(claim: Claim, runs: Mapping[Side, Sequence[Run]]) -> Verdict:
    """Shown when every run of both sides holds; a broken run is no evidence at all."""
    for side in SIDES:
        broken = next((run.broken for run in runs[side] if run.broken is not None), None)
        if broken is not None:
            return Verdict("not_shown", f"{side}: {broken}")
    mixed, missed = [], []
    for side in SIDES:
        held = [claim.holds(side, run.value) for run in runs[side]]
        if not any(held):
            missed.append(f"{side} measured {shown_value(runs[side]):g}, its bound is {claim.bound(side):g}")
        elif not all(held):
            mixed.append(f"{side}: {held.count(True)} of {len(held)} runs hold")
    if missed:
        return Verdict("not_shown", "; ".join(missed))
    return Verdict("inconclusive", "; ".join(mixed)) if mixed else Verdict("shown")


def shown_value(runs: Sequence[Run]) -> float:
    """The value to report for several runs: their median."""
    return statistics.median(run.value for run in runs)


def load_claims(text: str | None = None) -> tuple[Claim, ...]:
    """The claims of claims.toml in their order; raises `pydantic.ValidationError` where the file is wrong."""
    text = text if text is not None else (resources.files("lab") / "claims.toml").read_text(encoding="utf-8")
    return tuple(Claim.model_validate(table) for table in tomllib.loads(text)["claim"])
