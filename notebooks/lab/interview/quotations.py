"""Quotes measured numbers in the answers to job interview questions.

An answer has a key in braces, such as `{07.good}` or `{asked.polling}`, in the place of each number. questions.toml
explains the keys.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from lab.results.claims import SIDES, load_claims
from lab.results.wording import number

QUOTATION = re.compile(r"\{([\w.]+)\}")
LIVE, FACT = "asked", "fact"


@dataclass(frozen=True)
class Numbers:
    """Measured numbers as text, by the keys that interview answers quote.

    The first part of a key such as `07.good` is its source. A source is the id of a claim (a statement about the bad
    and the good server), `asked` (what a running server answered) or `fact` (a default of the library, or a limit of
    this machine). `days` maps a source to the day of its measurement. `not_shown` has the ids of the claims that were
    not confirmed by their last measurement.
    """

    texts: Mapping[str, str]
    days: Mapping[str, date] = field(default_factory=dict)
    not_shown: frozenset[str] = frozenset()

    def quote(self, text: str) -> str:
        """Return `text` with each key, such as `{07.good}`, replaced by its number.

        Raises `KeyError` if a number is missing.
        """
        return QUOTATION.sub(lambda match: self.texts[match[1]], " ".join(text.split()))

    def missing(self, text: str) -> list[str]:
        """Return the sources of those keys in `text` that have no value.

        The source of a key is its first part, such as `07` for `{07.good}`. The sources are sorted.
        """
        return sorted({source(key) for key in keys(text) if key not in self.texts})

    def measured_sentence(self, text: str) -> str:
        """Return `text`, as Markdown, with numbers in place of its keys.

        A key is a placeholder such as `{07.good}`. The result also says when the oldest number was measured, and for
        which of the ten mistakes the last measurement did not show the expected difference. If a number is missing,
        the result says instead how to measure it, or that this system does not report it.
        """
        missing = self.missing(text)
        if FACT in missing:
            return "*Measured:* this system does not tell this number."
        if LIVE in missing:
            return "*Measured:* not on this machine yet. Notebook 13 (The interview) measures it."
        if missing:
            return f"*Measured:* not on this machine yet. `lab compare --only {','.join(missing)}` measures it."
        day = self.measured_on(text)
        # a default or a limit is read now, and has no day
        where = f"Measured on this machine, {day}" if day is not None else "On this machine"
        doubt = "".join(f" In that run claim {id} was not shown." for id in self.doubted(text))
        return f"*{where}:* {self.quote(text)}{doubt}"

    def measured_on(self, text: str) -> date | None:
        """Return the day on which the oldest number in `text` was measured.

        `text` quotes a number by its key, such as `{07.good}`. Returns None if no such day is known.
        """
        return min((self.days[name] for name in map(source, keys(text)) if name in self.days), default=None)

    def doubted(self, text: str) -> list[str]:
        """Return the ids of the unconfirmed claims that `text` quotes.

        `text` quotes a claim about the servers by a key, such as `{07.good}`; `07` is the id of the claim. A claim is
        unconfirmed if its last measurement did not confirm it.
        """
        return sorted({source(key) for key in keys(text)} & self.not_shown)


def keys(text: str) -> list[str]:
    """Return the keys of the numbers that `text` quotes, in order.

    A quoted key is in braces, such as `{07.good}`.
    """
    return QUOTATION.findall(text)


def source(key: str) -> str:
    """Return the source of a key, such as `07` for `07.good`.

    The source is the text before the first dot. It names where the number comes from, such as the measurement of claim
    07.
    """
    return key.partition(".")[0]


def claim_texts(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the measured values of claims as text, by keys like `07.good`.

    Each row is a claim about the servers, as in `lab compare --json`. A row whose metric is no longer the metric of its
    claim is left out.
    """
    claims = {claim.id: claim for claim in load_claims()}
    texts = {}
    for row in rows:
        claim = claims.get(row["id"])
        if claim is None or claim.metric != row["metric"]:
            continue
        both = {side: number(row[side]) for side in SIDES}
        texts[f"{claim.id}.finding"] = claim.finding.format(**both)
        texts |= {f"{claim.id}.{side}": text for side, text in both.items()}
        for also in row["also"]:
            values = {side: also[side] for side in SIDES if also[side] is not None}
            texts |= {f"{claim.id}.{also['key']}.{side}": number(value) for side, value in values.items()}
    return texts
