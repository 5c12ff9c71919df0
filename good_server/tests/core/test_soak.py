"""Tests that the soak finds leaks, and that the server has none."""

import asyncio
from types import SimpleNamespace

import pytest

from .. import soak as soaking
from ..sizes import collection_sizes
from ..soak import run
from ..soak_attacks import ATTACKS

RUN_SECONDS = 240
CYCLES, WARM_CYCLES = 400, 160
# a leak does not go away, so nobody waits for it as long as for a healthy server
LEAK_SECONDS = 4.0


class Slotted:
    __slots__ = ("kept",)

    def __init__(self, kept):
        self.kept = kept


async def holds(kept):
    await asyncio.Event().wait()
    kept.clear()


HOLDERS = {
    "dict": lambda kept: {"kept": kept},
    "attribute": lambda kept: SimpleNamespace(kept=kept),
    "slot": Slotted,
    "closure": lambda kept: lambda: kept,
    "default": lambda kept: lambda held=kept: held,
    "method": lambda kept: kept.copy,
    "tuple": lambda kept: (kept,),
}


@pytest.mark.parametrize("kept", [{"a": 1, "b": 2, "c": 3}, [1, 2, 3], {1, 2, 3}], ids=["dict", "list", "set"])
@pytest.mark.parametrize("way", HOLDERS)
def test_a_collection_is_found_wherever_it_is_held(way, kept):
    holder, empty = HOLDERS[way](kept), HOLDERS[way](type(kept)())
    more = sum(collection_sizes({"a": holder}).values()) - sum(collection_sizes({"a": empty}).values())
    assert more == 3


async def test_a_collection_is_found_in_a_waiting_task():
    kept = [1, 2, 3, 4]
    task = asyncio.create_task(holds(kept))
    await asyncio.sleep(0)
    sizes = collection_sizes({"task": task})
    task.cancel()
    assert 4 in sizes.values()


def test_a_late_attribute_is_no_collection():
    holder = SimpleNamespace(kept=[1])
    before = collection_sizes({"a": holder})
    holder.late = 2
    assert collection_sizes({"a": holder}) == before


@pytest.mark.slow
@pytest.mark.timeout(RUN_SECONDS)
async def test_the_soak_sees_a_server_that_leaks(tmp_path, monkeypatch):
    monkeypatch.setattr(soaking, "SETTLE_SECONDS", LEAK_SECONDS)
    soak = await run(CYCLES, is_attacked=False, log=str(tmp_path / "log"), warm_cycles=WARM_CYCLES, kind="forgetful")
    # every accepted connection: all but those with a refused or no token
    leaked = CYCLES * 6 // 8
    assert soak.after["tasks"] - soak.before["tasks"] == leaked
    found = {line.partition(":")[0]: line for line in soak.problems}
    assert {"tasks", "application.gateways[].kept"} <= found.keys()


@pytest.mark.slow
@pytest.mark.timeout(RUN_SECONDS)
async def test_nothing_is_left_after_a_small_soak_under_attack(tmp_path):
    soak = await run(CYCLES, is_attacked=True, log=str(tmp_path / "log"), warm_cycles=WARM_CYCLES)
    assert soak.problems == []
    assert soak.attacks.keys() == {attack.__name__ for attack in ATTACKS}
