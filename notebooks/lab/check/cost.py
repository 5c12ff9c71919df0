"""What a mistake costs, from the last recorded measurement of this kit.

`lab.check.cost_document` writes the numbers to `costs.json`.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from lab.check.model import Rule

COSTS = Path(__file__).with_name("costs.json")
# for a mistake, or for a rule whose cost is another number of the same measurement
TEMPLATES = {
    "01": "In this kit's measurement a server that keeps ids held {bad} ids of closed sockets, with rooms {good}.",
    "02": "In this kit's measurement {bad} % of the results arrived after a reconnect, with rooms {good} %.",
    "03": "In this kit's measurement {bad} % of the messages arrived after a reconnect; "
    "with rooms joined on every connect, {good} %.",
    "04": "In this kit's measurement {bad} % of the members still got a room's messages after one of two tabs "
    "closed, with rooms {good} %.",
    "05": "In this kit's measurement {bad} % of the users were still reached after one of two tabs closed, "
    "with rooms {good} %.",
    "06": "In this kit's measurement {bad} % of the deliveries went to clients that they did not concern, "
    "with rooms {good} %.",
    "07": "In this kit's measurement {bad} % of a user's tabs got their messages, with one room for all tabs {good} %.",
    "08": "In this kit's measurement an attacker read {bad} % of the private messages; "
    "with rooms that the server decides, {good} %.",
    "09": "In this kit's measurement other clients waited {bad} times as long as one report takes; "
    "with a pool of processes, {good} times.",
    "10": "In this kit's measurement {bad} % of the abusive requests were accepted, with limits {good} %.",
    "RM082": "In this kit's measurement {bad} % of the messages under a forged sender were accepted; "
    "with the verified identity, {good} %.",
}
TEMPLATES["RM085"] = TEMPLATES["RM082"]
# a secondary number of the mistake's measurement
ALSO = {"RM082": "forged_senders_accepted", "RM085": "forged_senders_accepted"}
# the measurement of their mistake does not measure these
UNMEASURED = frozenset({"RM023", "RM032", "RM033", "RM083", "RM084", "RM103", "RM104"})


def cost_of(rule: Rule) -> str:
    """Return one sentence on what a finding of this rule costs.

    Without a recorded number, it is the first sentence of the rule's reason.
    """
    numbers = _numbers(rule)
    if rule.id in UNMEASURED or numbers is None:
        return first_sentence(rule.why)
    template = TEMPLATES[rule.id if rule.id in TEMPLATES else rule.mistake]
    return template.format(bad=numbers["bad"], good=numbers["good"])


def first_sentence(text: str) -> str:
    """Return the first sentence of a text of several."""
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
    """Return the path of the recorded costs, from the README's path."""
    return readme.parent / "notebooks" / "lab" / "check" / COSTS.name
