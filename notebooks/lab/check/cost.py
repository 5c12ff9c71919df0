"""Says what harm each Socket.IO mistake does, such as lost messages.

The harm was measured on two example servers; one of them has the mistakes. The numbers are in `costs.json`, whose
content `lab.check.cost_document` creates.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from lab.check.model import Rule

COSTS = Path(__file__).with_name("costs.json")
# the lab's two example servers, not the checked project, were measured
MEASURED = "Measured on two example servers (lab compare --only {mistake}): with this mistake "
# for a mistake, or for a rule whose cost is another number of the same measurement
TEMPLATES = {
    "01": "a server held {bad} ids of closed sockets, and {good} with rooms.",
    "02": "{bad} % of the results arrived after a reconnect, and {good} % with rooms.",
    "03": "{bad} % of the messages arrived after a reconnect, and {good} % with rooms joined on every connect.",
    "04": "{bad} % of the members still got a room's messages after one of two tabs closed, and {good} % with rooms.",
    "05": "{bad} % of the users were still reached after one of two tabs closed, and {good} % with rooms.",
    "06": "{bad} % of the deliveries went to clients that they did not concern, and {good} % with rooms.",
    "07": "{bad} % of a user's tabs got their messages, and {good} % with one room for all tabs.",
    "08": "an attacker read {bad} % of the private messages, and {good} % where the server decides the rooms.",
    "09": "other clients waited {bad} times as long as one report takes, and {good} times with a pool of processes.",
    "10": "{bad} % of the abusive requests were accepted, and {good} % with limits.",
    "RM082": "{bad} % of the messages under a forged sender were accepted, and {good} % with the verified identity.",
}
TEMPLATES["RM085"] = TEMPLATES["RM082"]
# a secondary number of the mistake's measurement
ALSO = {"RM082": "forged_senders_accepted", "RM085": "forged_senders_accepted"}
# the measurement of their mistake does not measure these
UNMEASURED = frozenset({"RM023", "RM032", "RM033", "RM083", "RM084", "RM103", "RM104"})


def cost_of(rule: Rule) -> str:
    """Return one sentence on the harm that a rule's mistake does.

    The sentence has numbers that were measured on two example servers, with and without the mistake. If nothing was
    measured for the rule, the result is the first sentence of the text `rule.why`.
    """
    numbers = _numbers(rule)
    if rule.id in UNMEASURED or numbers is None:
        return first_sentence(rule.why)
    template = MEASURED + TEMPLATES[rule.id if rule.id in TEMPLATES else rule.mistake]
    return template.format(mistake=rule.mistake, bad=numbers["bad"], good=numbers["good"])


def first_sentence(text: str) -> str:
    """Return the first sentence of a text."""
    end = text.find(". ")
    return text if end < 0 else text[: end + 1]


def _numbers(rule: Rule) -> Mapping[str, str] | None:
    claim = _recorded().get(rule.mistake)
    if claim is None:
        return None
    also = ALSO.get(rule.id)
    numbers: Mapping[str, str] | None = claim if also is None else claim["also"].get(also)
    return numbers


@cache
def _recorded() -> Mapping[str, Any]:
    try:
        document = json.loads(COSTS.read_bytes())
    except FileNotFoundError:
        return {}
    claims: Mapping[str, Any] = document["claims"]
    return claims


def costs_beside(readme: Path) -> Path:
    """Return the path of `costs.json` in the repository of `readme`.

    This file says how much harm each of the ten Socket.IO mistakes does.
    """
    return readme.parent / "notebooks" / "lab" / "check" / COSTS.name
