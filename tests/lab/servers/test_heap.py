"""Test that `ids_held` finds an id in every kind of container."""

import base64
import collections
import gc
import json
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from lab.servers.heap import ids_held


@pytest.fixture(autouse=True)
def small_heap() -> Iterator[None]:
    """Hide the objects of earlier tests, so that each search is fast."""
    gc.freeze()
    yield
    gc.unfreeze()


class Slotted:
    __slots__ = ("held",)

    def __init__(self, held: str) -> None:
        self.held = held


def fresh_id() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(15)).decode()


def copied(text: str) -> str:
    """Return an equal string that is another object.

    With the same object, the list of ids that the test passes would count as a reference.
    """
    return "".join(list(text))


HOLDERS: dict[str, Callable[[str], Any]] = {
    "a key of an untracked dict": lambda id: {id: "ana"},
    "a value": lambda id: {"ana": id},
    "an untracked tuple": lambda id: ("ana", id),
    "a list": lambda id: [id],
    "a set": lambda id: {id},
    "a frozen set": lambda id: frozenset([id]),
    "a deque": lambda id: collections.deque([id]),
    "a slot": Slotted,
    "part of a room's name": lambda id: [f"user:{id}"],
    "nested tuples that the collector does not track": lambda id: {"a": (("b", ("c", id)),)},
    "a tuple as a key": lambda id: {("room", id): 1},
}


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS.keys())
def test_an_id_is_found_in(holder: Callable[[str], Any]) -> None:
    id = fresh_id()
    # in a list, because a local variable of a running function is not a container
    held = [holder(copied(id))]
    ids = [id]
    assert ids_held(ids, ignored=[ids]) == {id: 1}
    del held
    assert ids_held(ids, ignored=[ids]) == {}


def test_ids_of_different_lengths_are_found_together() -> None:
    ids = [fresh_id(), fresh_id()[:12]]
    held = [[copied(ids[0])], [f"user:{ids[1]}"]]
    assert ids_held(ids, ignored=[ids]) == {ids[0]: 1, ids[1]: 1}
    del held


def test_an_id_without_references_is_not_found() -> None:
    ids = [fresh_id() for _ in range(100)]
    assert ids_held(ids, ignored=[ids]) == {}


# in a process of its own: the heap of the test runner changes with what ran before
HEAP_SIZES = """
import json, secrets, sys
from lab.servers.heap import heap_bytes

heap_bytes()
before = heap_bytes()
# in a list, because a local variable of a running function is not a container
held = [{secrets.token_urlsafe(15): "ana" for _ in range(1000)}]
size = sum(sys.getsizeof(id) for id in held[0]) + sys.getsizeof(held[0])
grown = heap_bytes() - before
del held
print(json.dumps([before, size, grown, heap_bytes()]))
"""


def test_heap_size_follows_what_is_referenced() -> None:
    done = subprocess.run([sys.executable, "-c", HEAP_SIZES], capture_output=True, text=True, timeout=30, check=True)
    before, size, grown, after = json.loads(done.stdout)
    assert grown == pytest.approx(size, rel=0.05)
    assert after == pytest.approx(before, rel=0.001)
