"""The heap scan finds an id wherever a program can hold it, and nowhere else."""

import base64
import collections
import secrets
import sys
from collections.abc import Callable
from typing import Any

import pytest
from lab.servers.heap import heap_bytes, ids_held


class Slotted:
    __slots__ = ("held",)

    def __init__(self, held: str) -> None:
        self.held = held


def fresh_id() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(15)).decode()


def copied(text: str) -> str:
    """An equal string that is another object, so that the question does not answer itself."""
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
    "deep inside what the collector does not track": lambda id: {"a": (("b", ("c", id)),)},
    "a tuple as a key": lambda id: {("room", id): 1},
}


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS.keys())
def test_an_id_is_found_in(holder: Callable[[str], Any]) -> None:
    id = fresh_id()
    # in a list, as a name in a running frame is not a container
    held = [holder(copied(id))]
    question = [id]
    assert ids_held(question, ignored=[question]) == {id: 1}
    del held
    assert ids_held(question, ignored=[question]) == {}


def test_ids_of_different_lengths_are_found_together() -> None:
    ids = [fresh_id(), fresh_id()[:12]]
    held = [[copied(ids[0])], [f"user:{ids[1]}"]]
    assert ids_held(ids, ignored=[ids]) == {ids[0]: 1, ids[1]: 1}
    del held


def test_what_nobody_holds_is_not_found() -> None:
    question = [fresh_id() for _ in range(100)]
    assert ids_held(question, ignored=[question]) == {}


def test_the_heap_grows_by_what_is_held_and_shrinks_when_it_is_let_go() -> None:
    before = heap_bytes()
    # in a list, as above
    held = [{fresh_id(): "ana" for _ in range(1000)}]
    size = sum(sys.getsizeof(id) for id in held[0]) + sys.getsizeof(held[0])
    assert heap_bytes() - before == pytest.approx(size, rel=0.05)
    del held
    assert heap_bytes() == pytest.approx(before, rel=0.001)
