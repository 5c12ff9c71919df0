"""Two checker rules: about suppression comments, and about deleted room joins.

A suppression comment hides a finding. A room join is a call that puts a socket into a room.
"""

from collections.abc import Iterable

from lab.check.dialects import DIALECTS, Dialect
from lab.check.facts import Facts
from lab.check.model import Hit, Rule
from lab.check.rules import all_rules


def _nothing(_facts: Facts) -> Iterable[Hit]:
    # `lab.check.suppress` and `lab.check.since` find these
    return ()


def _same(sentence: str) -> dict[Dialect, str]:
    return dict.fromkeys(DIALECTS, sentence)


SUPPRESSION = Rule(
    id="RM000",
    mistake="00",
    level="warning",
    title="a suppression that has no effect",
    what="A comment `lab: ignore[…]` without a reason, with an unknown rule, or where the rule finds nothing.",
    why="A reader believes that somebody looked at the line, and a later finding there would be hidden.",
    exceptions="None: remove the comment, or give the reason that is missing.",
    fix=_same("Write `lab: ignore[RM021] the reason`, on the line or on the line above, or remove the comment."),
    snippets={},
    find=_nothing,
)
LOST_JOIN = Rule(
    id="RM030",
    mistake="03",
    level="warning",
    title="a join of a room was removed",
    what="With `--since`: a change removed a call that joins a room, and no changed file gained the same join.",
    why="Without the join, a socket silently receives nothing from the room.",
    exceptions="The room is not needed any more, so its emits were removed, too.",
    fix=_same("Put the join back, on every connect, or remove the emits to that room, too."),
    snippets={},
    find=_nothing,
)


def every_rule() -> tuple[Rule, ...]:
    """Return all rules of the checker, sorted by id.

    The result includes the rule about comments that suppress findings, and the rule about deleted calls that joined a
    room.
    """
    return tuple(sorted((SUPPRESSION, LOST_JOIN, *all_rules()), key=lambda rule: rule.id))
