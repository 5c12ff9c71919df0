"""Adds the places of related code to the fix in a finding.

The fix is a text. If the finding is about code that keeps socket ids, the text gets the places where kept ids are used,
for example for emits. If the finding is about an emit to a kept id, or another use of it, the text gets the places
where ids are kept. For a database field, the text gets the places where the code uses a field of this name.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from lab.check.facts import Facts
from lab.check.ir import Member, Node, Record
from lab.check.model import Finding
from lab.check.tags import Tag

KEEPS = ("RM011", "RM013")
USES = ("RM021", "RM022")
# the rules that find the other half, and the words for their places
OTHER_HALF = {
    **dict.fromkeys(KEEPS, (USES, "Kept ids are used at {}.")),
    **dict.fromkeys(USES, (KEEPS, "Socket ids are kept at {}: keep ids of users there, or nothing.")),
}
FIELD = "RM014"
USED = "This name is used at {}."
# places that a fix names
MOST_PLACES = 5

Place = tuple[str, int]


def with_related(facts: Facts, found: Sequence[Finding]) -> list[Finding]:
    """Return the findings, with related places in their fixes."""
    return [_with_places(finding, *_related(facts, finding, found)) for finding in found]


def _related(facts: Facts, finding: Finding, found: Sequence[Finding]) -> tuple[list[Place], str]:
    """Return the places of code that is related to a finding.

    The second result is a sentence about these places, such as "This name is used at {}.". It is "" for a rule that has
    no related code.
    """
    if finding.rule == FIELD:
        return _uses(facts, finding), USED
    rules, words = OTHER_HALF.get(finding.rule, ((), ""))
    return [(one.path, one.line) for one in found if one.rule in rules], words


def _uses(facts: Facts, finding: Finding) -> list[Place]:
    """Return where the code uses the name of a database field.

    `finding` is about the field. Examples of uses are `user.socketId` and `{ socketId: id }`.
    """
    lines = facts.sources[finding.path].lines
    name = re.match(r"\W*(\w+)", "".join(lines[finding.line - 1 : finding.line])[finding.column - 1 :])
    places = facts.once(_fields).get(name[1], []) if name is not None else []
    return [place for place in places if place != (finding.path, finding.line)]


def _fields(facts: Facts) -> dict[str, list[Place]]:
    """Return where the code uses fields, by the name of the field.

    Fields of a socket or a request, such as `request.sid`, and fields of emitted data are left out.
    """
    emitted = {id(part) for emit in facts.actions.emits for value in emit.payload for part in value.walk()}
    found: dict[str, list[Place]] = {}
    for module, node in facts.nodes(Member, Record):
        if id(node) in emitted and isinstance(node, Record):
            continue
        parts: list[Node | None] = [key for key, _ in node.items] if isinstance(node, Record) else [node]
        for part in parts:
            name = getattr(part, "name", None) or getattr(part, "value", None)
            if part is not None and isinstance(name, str) and Tag.SID not in facts.values.of(part):
                found.setdefault(name, []).append((module.path, part.line))
    return found


def _with_places(finding: Finding, places: list[Place], words: str) -> Finding:
    if not places:
        return finding
    places = list(dict.fromkeys(places))
    named = [f"line {line}" if path == finding.path else f"{path}:{line}" for path, line in places[:MOST_PLACES]]
    if len(places) > MOST_PLACES:
        named.append(f"{len(places) - MOST_PLACES} more")
    listed = " and ".join(filter(None, [", ".join(named[:-1]), named[-1]]))
    prose, *code = finding.fix.split("\n")
    return replace(finding, fix="\n".join([f"{prose} {words.format(listed)}", *code]))
