"""Says in a fix where the other half of the mistake is.

A fix of code that keeps socket ids names the emits to them. A fix of such an emit names where the ids are kept. A fix
of a database field names where the ids are written.
"""

from collections.abc import Sequence
from dataclasses import replace

from lab.check.model import Finding

KEEPS = ("RM011", "RM013")
USES = ("RM021", "RM022")
WORDS = {
    "RM014": (("RM013",), "Ids are written to the database at {}."),
    **dict.fromkeys(KEEPS, (USES, "Kept ids are used at {}.")),
    **dict.fromkeys(USES, (KEEPS, "Socket ids are kept at {}: keep ids of users there, or nothing.")),
}
# places that a fix names
MOST_PLACES = 3


def with_related(found: Sequence[Finding]) -> list[Finding]:
    """Return the findings, with the places of related findings in their fixes."""
    return [replace(finding, fix=_fix(finding, found)) if finding.rule in WORDS else finding for finding in found]


def _fix(finding: Finding, found: Sequence[Finding]) -> str:
    rules, words = WORDS[finding.rule]
    places = list(dict.fromkeys((one.path, one.line) for one in found if one.rule in rules))
    if not places:
        return finding.fix
    named = [f"line {line}" if path == finding.path else f"{path}:{line}" for path, line in places[:MOST_PLACES]]
    if len(places) > MOST_PLACES:
        named.append(f"{len(places) - MOST_PLACES} more")
    listed = " and ".join(filter(None, [", ".join(named[:-1]), named[-1]]))
    prose, *code = finding.fix.split("\n")
    return "\n".join([f"{prose} {words.format(listed)}", *code])
