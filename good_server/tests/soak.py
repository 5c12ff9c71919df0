"""Connects many clients, and compares what the server holds before and after.

`python -m good_server.tests soak [--cycles N] [--attack] [--log FILE]` runs N connections of eight kinds, with
`--attack` while abusive clients run. It stops by itself, and exits with 1 when the server holds more than before.
"""

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ..settings import Settings
from .server_processes import running_child
from .soak_attacks import under_attack
from .soak_clients import KINDS, cycle

CYCLES = 80_000
# Connections before the first measurement. They create what a server creates once, and as many at a time as later:
# the allocator keeps the memory of the peak.
WARM_CYCLES = 8_000
# limits that many clients of one address would reach, and short deadlines
SETTINGS = {
    "port": 0,
    "internal_port": 0,
    "report_workers": 1,
    "ping_interval_seconds": 1,
    "ping_timeout_seconds": 1,
    # the clients share a busy machine with the server, and are late themselves
    "handshake_seconds": 3,
    "header_seconds": 4,
    "keep_alive_seconds": 1,
    "sockets_per_user": 1000,
    "sockets_per_address": 5000,
    "connects_per_second": 100_000,
    "connects_per_second_per_address": 100_000,
}
# what a server may still hold when the last client has gone: its own deadlines, and rates of users
SETTLE_SECONDS = 60.0
ASK_SECONDS = 1.0
# memory that the allocator keeps; a leak of 200 bytes a connection is more than this in a full run
MOST_MORE_MB = 12.0
# one object in a hundred connections: a leak is at least one object each
MOST_MORE_OBJECTS_PER_CYCLE = 0.01
FEW_OBJECTS = 300


@dataclass
class Soak:
    """What a soak showed. `problems` is empty when the server is back where it was."""

    cycles: int
    # what the server held before the first connection and after the last one
    before: dict = field(default_factory=dict)
    after: dict = field(default_factory=dict)
    seconds: float = 0.0
    # by kind, the reasons of connections that did not end as they must
    failures: dict = field(default_factory=dict)
    attacks: dict = field(default_factory=dict)
    errors: list = field(default_factory=list)

    @property
    def problems(self):
        """What is not as before, one line each."""
        found = [
            f"{kind}: {count} connections: {why}"
            for kind, all in self.failures.items()
            for why, count in Counter(all).items()
        ]
        return [*found, *self.growth(), *(f"the server logged: {line[:300]}" for line in self.errors[:5])]

    def growth(self):
        """Return one line per count that is larger than before."""
        before, after = self.before, self.after
        lines = [
            f"{name}: {before[name]} before, {after[name]} after"
            for name in ("files", "tasks", "connections", "rooms")
            if after[name] > before[name]
        ]
        lines += [
            f"{path}: {before['maps'].get(path, 0)} before, {size} after"
            for path, size in after["maps"].items()
            if size > before["maps"].get(path, 0)
        ]
        if after["objects"] - before["objects"] > FEW_OBJECTS + MOST_MORE_OBJECTS_PER_CYCLE * self.cycles:
            lines.append(f"objects: {before['objects']} before, {after['objects']} after")
        if after["rss_mb"] - before["rss_mb"] > MOST_MORE_MB:
            lines.append(f"memory: {before['rss_mb']:.1f} MB before, {after['rss_mb']:.1f} MB after")
        return lines


async def rounds(url, settings, cycles, *, is_attacked):
    """Run `cycles` connections, an equal share of each kind. Return the failures by kind, and the attacks."""
    async with contextlib.AsyncExitStack() as stack:
        runs = await stack.enter_async_context(under_attack(url, settings)) if is_attacked else {}
        found = await asyncio.gather(*(cycle(kind, url, settings, cycles // len(KINDS)) for kind in KINDS))
    return {kind.__name__: why for kind, why in zip(KINDS, found, strict=True) if why}, dict(runs)


async def settled(server, soak):
    """Ask the server what it holds until that is as before."""
    until = time.monotonic() + SETTLE_SECONDS
    soak.after = await counts(server)
    while soak.growth() and time.monotonic() < until:
        await asyncio.sleep(ASK_SECONDS)
        soak.after = await counts(server)


async def counts(server):
    """Return what the server holds: see sizes.py."""
    with tempfile.NamedTemporaryFile() as file:
        await server.ask(file.name)
        return json.loads(file.read())


async def run(cycles, *, is_attacked, log, warm_cycles=WARM_CYCLES, kind=""):
    """Run a soak against a server of its own. The `kind` of server `forgetful` leaks."""
    chosen = {name: value for name, value in SETTINGS.items() if name in Settings.model_fields}
    settings, soak = Settings(**chosen), Soak(cycles)
    async with running_child("soak_server", log, kind, **chosen) as server:
        url = json.loads(await server.line())
        await rounds(url, settings, warm_cycles, is_attacked=is_attacked)
        soak.before = await quiet(server)
        began = time.monotonic()
        soak.failures, soak.attacks = await rounds(url, settings, cycles, is_attacked=is_attacked)
        soak.seconds = time.monotonic() - began
        await settled(server, soak)
    lines = (await asyncio.to_thread(Path(log).read_text, "utf-8")).splitlines()
    soak.errors = [line for line in lines if '"level":"error"' in line]
    return soak


async def quiet(server):
    """Return the counts once two in a row are the same."""
    until, last = time.monotonic() + SETTLE_SECONDS, await counts(server)
    while time.monotonic() < until:
        await asyncio.sleep(ASK_SECONDS)
        found = await counts(server)
        if found["maps"] == last["maps"] and not found["connections"]:
            return found
        last = found
    return last


def report(soak):
    """Return the result as lines of text."""
    names = ("rss_mb", "files", "tasks", "connections", "rooms", "objects")
    counts = [f"{name:12} {soak.before[name]:>12.6g} before {soak.after[name]:>12.6g} after" for name in names]
    sums = [sum(found["maps"].values()) for found in (soak.before, soak.after)]
    return [
        f"{soak.cycles} connections of {len(KINDS)} kinds in {soak.seconds:.0f} s, attacks: {soak.attacks or 'none'}",
        *counts,
        f"{'collections':12} {sums[0]:>12} before {sums[1]:>12} after, at {len(soak.after['maps'])} places",
        *(soak.problems or ["everything is back where it was"]),
    ]


def main(*arguments):
    parser = argparse.ArgumentParser(prog="soak", description=__doc__.splitlines()[0])
    parser.add_argument("--cycles", type=int, default=CYCLES, help=f"connections in all (default {CYCLES})")
    parser.add_argument("--attack", action="store_true", help="run abusive clients meanwhile")
    parser.add_argument("--log", help="keep the server's log in this file")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        log = chosen.log or os.path.join(folder, "server.log")
        soak = asyncio.run(run(chosen.cycles, is_attacked=chosen.attack, log=log))
    sys.stdout.write("\n".join(report(soak)) + "\n")
    return 1 if soak.problems else 0
