"""Calculates settings of `good_server` from measured costs and a capacity plan.

A capacity plan says how many server processes a number of users needs.
"""

import math
from dataclasses import dataclass

from good_server.connection_limits import TCP_PER_SOCKET
from lab.scaling.capacity import DEFAULTS, Assumed, Plan
from lab.scaling.measure import Costs

WRITE_SECONDS = float(DEFAULTS["write_seconds"].default)
MAX_FRAME_BYTES = int(DEFAULTS["max_frame_bytes"].default)
# half-open connections stay counted until their ping times out, while their clients have already reconnected
SPARE_CONNECTIONS = 0.25
MIB = 1024**2


@dataclass(frozen=True)
class Recommendation:
    """The recommended value of one setting of a server process.

    `computation` says in words how the value is calculated.
    """

    setting: str
    value: int
    computation: str


def recommendations(planned: Plan, costs: Costs, assumed: Assumed) -> list[Recommendation]:
    """Returns the recommended settings of each server process of a plan.

    `planned` has the load and the number of processes, and `costs` the measured costs of single operations. `assumed`
    has the assumptions of the plan. Raises `ValueError` when the plan is impossible, because no number of processes is
    enough.
    """
    if planned.processes is None:
        raise ValueError("this plan is not possible")
    connections = _connections(planned)
    return [
        connections,
        _connects_per_second(connections.value, costs, assumed),
        *_outbox(planned, connections.value, costs, assumed),
        _open_files(connections.value, costs),
    ]


def _connections(planned: Plan) -> Recommendation:
    per_shard = (planned.processes or 1) // planned.shards
    connections = planned.connections / planned.shards
    carrying = max(1, per_shard - 1)
    value = math.ceil(connections / carrying * (1 + SPARE_CONNECTIONS))
    remaining = f"the {carrying} other processes when one restarts" if per_shard > 1 else "one process"
    where = " of a shard" if planned.shards > 1 else ""
    text = f"{connections:,.0f} connections{where} on {remaining}, and {SPARE_CONNECTIONS:.0%} spare (assumed)"
    return Recommendation("SERVER_CONNECTIONS", value, text)


def _connects_per_second(connections: int, costs: Costs, assumed: Assumed) -> Recommendation:
    share = 1 - assumed.core_share
    value = max(1, int(share / costs.connect))
    text = (
        f"{share:.0%} of a core, the part that the plan leaves free, divided by {1e6 * costs.connect:,.0f} µs per"
        f" connect; all {connections:,} are back after {connections / value:,.0f} s at least"
    )
    return Recommendation("SERVER_CONNECTS_PER_SECOND", value, text)


def _outbox(planned: Plan, connections: int, costs: Costs, assumed: Assumed) -> list[Recommendation]:
    """Returns the limits of the send queue of one connection.

    One limit is in bytes, and one is in messages. Drivers are users who send positions, and watchers are users who
    receive them, so the connections of watchers are the busiest. The limits are calculated for a watcher's connection.
    All watchers are assumed to receive equally many positions.
    """
    watchers = planned.drivers * assumed.watchers_per_connection
    each_second = planned.emits_per_second * assumed.watchers_per_driver / watchers if watchers else 0.0
    messages = math.ceil(each_second * WRITE_SECONDS)
    used = messages * costs.bytes_per_delivery
    value = max(used, 2 * MAX_FRAME_BYTES)
    slow = round(connections * watchers / planned.connections)
    text = (
        f"{each_second:g} deliveries/s to a watcher × {costs.bytes_per_delivery} bytes × {WRITE_SECONDS:.0f} s ="
        f" {used:,}; at least two of the largest frames; with all {slow:,} watchers slow: {slow * value / MIB:,.0f} MiB"
    )
    count = f"{each_second:g} deliveries/s to a watcher × {WRITE_SECONDS:.0f} s, at least the default"
    least = int(DEFAULTS["outbox_messages"].default)
    return [
        Recommendation("SERVER_OUTBOX_BYTES", value, text),
        Recommendation("SERVER_OUTBOX_MESSAGES", max(messages, least), count),
    ]


def _open_files(connections: int, costs: Costs) -> Recommendation:
    value = TCP_PER_SOCKET * connections + costs.other_files
    text = (
        f"{TCP_PER_SOCKET} TCP connections for each of {connections:,} (some are being opened or refused), and"
        f" {costs.other_files} other files"
    )
    return Recommendation("LimitNOFILE", value, text)
