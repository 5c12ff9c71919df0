"""Claims about the bad and the good server, read from claims.toml.

A claim has a metric and, for each server, a bound: the lowest or the highest value of the metric that confirms the
claim.
"""

import math
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lab.results.run import Run, is_late

Side = Literal["bad", "good"]
SIDES: tuple[Side, ...] = ("bad", "good")
Runs = Mapping[Side, Sequence[Run]]
BOUNDS: dict[str, dict[Side, str]] = {
    "lower": {"bad": "bad_at_least", "good": "good_at_most"},
    "higher": {"bad": "bad_at_most", "good": "good_at_least"},
}
# A value is near its bound when its distance is at most this fraction of the distance from the bound to the end of the
# scale. A value at the end of the scale is never near its bound, because no value is better.
NEAR = 0.1


class ClaimsError(ValueError):
    """The file claims.toml is invalid; a one-line message says where."""


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Also(_Frozen):
    """A secondary metric of a claim about the two servers.

    It is reported beside the primary metric. `Run.also[key]` is its value in one run. If `relative` is True, the value
    is reported as a multiple of the good server's value.
    """

    key: str
    metric: str
    unit: str
    relative: bool = False


class Claim(_Frozen):
    """A statement about the bad and the good server, with a metric.

    For each server, the claim states a bound: the lowest or the highest value of the metric that confirms the claim.
    The claim is confirmed when the values of both servers meet these bounds. `better` says whether lower or higher
    values are better.
    """

    id: Annotated[str, Field(pattern=r"^\d\d$")]
    slug: str
    title: str
    finding: str
    metric: str
    unit: str
    better: Literal["lower", "higher"]
    best: float
    worst: float
    bad_at_least: float | None = None
    good_at_most: float | None = None
    bad_at_most: float | None = None
    good_at_least: float | None = None
    timed: bool = False
    reason: str
    also: tuple[Also, ...] = ()

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        required = set(BOUNDS[self.better].values())
        given = {name for names in BOUNDS.values() for name in names.values() if getattr(self, name) is not None}
        if given != required:
            raise ValueError(f"where {self.better} is better the bounds are {' and '.join(sorted(required))}")
        scale = [self.best, self.bound("good"), self.bound("bad"), self.worst]
        if scale != sorted(scale, reverse=self.better == "higher") or scale[1] == scale[2]:
            raise ValueError(f"best, good bound, bad bound and worst must be in order, with different bounds: {scale}")
        return self

    @property
    def number(self) -> int:
        """The number of the notebook about this claim, 1 to 10."""
        return int(self.id)

    def bound(self, side: Side) -> float:
        """Return the bound that one server's measured value must meet.

        The bound is the lowest or the highest value that the claim allows for the server `side`, good or bad.
        """
        return float(getattr(self, BOUNDS[self.better][side]))

    def wanted(self, side: Side) -> str:
        """Return a server's bound in words, such as `at least 450`.

        The bound is the lowest or the highest value that the claim allows for the server `side`, good or bad.
        """
        words = BOUNDS[self.better][side].removeprefix(f"{side}_").replace("_", " ")
        return f"{words} {self.bound(side):g}"

    def holds(self, side: Side, value: float) -> bool:
        """Whether a measured value meets the bound of a server.

        The bound is the lowest or the highest value that the claim allows for the server `side`, good or bad. The value
        NaN never meets a bound.
        """
        is_upper_bound = (self.better == "lower") == (side == "good")
        return value <= self.bound(side) if is_upper_bound else value >= self.bound(side)

    def is_doubtful(self, side: Side, run: Run) -> bool:
        """Whether a run (a measurement of one server) should be repeated.

        This is so if the clients' slow event loop possibly falsified the run. It is also so if the run is valid, but
        its value misses the server's bound or is near this bound. The bound is the lowest or the highest value that the
        claim allows for the server.
        """
        bound, end = self.bound(side), self.best if side == "good" else self.worst
        is_near = run.value != end and abs(run.value - bound) <= NEAR * abs(end - bound)
        is_uncertain = run.broken is None and (is_near or not self.holds(side, run.value))
        return is_uncertain or self.is_spoilt(run)

    def is_spoilt(self, run: Run) -> bool:
        """Whether the clients' slow event loop possibly falsified the run.

        A run is one measurement of one server. A slow event loop falsifies measured times. It can also cause the loss
        of connections. Then the run does not have the connections that it needs.
        """
        return is_late(run) and (self.timed or run.broken is not None)


class TwoProcessBounds(_Frozen):
    """Bounds for the percentage of messages that arrive without connection cuts.

    A bound is the lowest or the highest percentage that is expected of a server. If `asks` is `report`, reports
    (results of heavy work) are counted instead of messages. `bad_at_most` or `bad_at_least` is the bound of the bad
    server with several processes. `others_at_least` is the bound in all other cases: for both servers with one process,
    and for the good server with several processes.
    """

    id: Annotated[str, Field(pattern=r"^\d\d$")]
    asks: Literal["chat", "report"]
    metric: str
    unit: str
    finding: str
    others_at_least: float
    bad_at_most: float | None = None
    bad_at_least: float | None = None
    reason: str

    @model_validator(mode="after")
    def _check_one_bound(self) -> Self:
        if (self.bad_at_most is None) == (self.bad_at_least is None):
            raise ValueError("either bad_at_most or bad_at_least")
        return self

    def wanted(self, side: Side, workers: int) -> str:
        """Return a server's bound in words, such as `at most 60`.

        The bound is the lowest or the highest percentage of messages that should arrive. It depends on `workers`, the
        number of processes of the server.
        """
        if side == "good" or workers == 1:
            return f"at least {self.others_at_least:g}"
        return f"at most {self.bad_at_most:g}" if self.bad_at_most is not None else f"at least {self.bad_at_least:g}"

    def holds(self, side: Side, workers: int, value: float) -> bool:
        """Whether a measured percentage of messages meets the bound of a server.

        The bound is the lowest or the highest percentage of messages that should arrive. It depends on `workers`, the
        number of processes of the server. The value NaN never meets a bound.
        """
        if side == "good" or workers == 1:
            return value >= self.others_at_least
        return value <= self.bad_at_most if self.bad_at_most is not None else value >= (self.bad_at_least or math.inf)


class _File(_Frozen):
    claim: tuple[Claim, ...]
    before_any_cut: tuple[TwoProcessBounds, ...] = ()


def load_claims(text: str | None = None) -> tuple[Claim, ...]:
    """Load the claims about the two servers from claims.toml.

    `text` replaces the content of the file. Raises `ClaimsError` when the content is invalid.
    """
    claims = _load(text).claim
    if len({claim.id for claim in claims}) < len(claims):
        raise ClaimsError("claims.toml: an id is used twice")
    return claims


def load_two_process_bounds(text: str | None = None) -> tuple[TwoProcessBounds, ...]:
    """Load the bounds of claims.toml for servers of several processes.

    A bound is the lowest or the highest percentage of messages that should arrive when no connection is cut. `text`
    replaces the content of the file. Raises `ClaimsError` when the content is invalid.
    """
    return _load(text).before_any_cut


def _load(text: str | None) -> _File:
    text = text if text is not None else (resources.files("lab.results") / "claims.toml").read_text(encoding="utf-8")
    try:
        return _File.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ClaimsError(f"claims.toml: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ClaimsError(f"claims.toml: {place}: {first['msg']}") from None
