"""Test that `ids_held` finds an id in every kind of container."""

import base64
import collections
import gc
import importlib.machinery
import importlib.util
import json
import secrets
import subprocess
import sys
import types
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lab.servers.heap import heap_bytes, ids_held


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


@types.coroutine
def pause() -> Any:
    yield


async def keep(held: list[str]) -> None:
    await pause()
    del held


def suspended(id: str) -> Any:
    coroutine = keep([id])
    coroutine.send(None)
    return coroutine


class Registry(dict[str, str]):
    """A dict with an attribute, whose methods hide its content."""

    def __init__(self, held: str) -> None:
        super().__init__(ana="online")
        self.last = held

    def keys(self) -> Any:
        raise RuntimeError("a walk must not run code")

    values = items = keys


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
    "an attribute of a dict's subclass": Registry,
    "a module": lambda id: vars(types.ModuleType("table")) | {"held": id},
    "a suspended coroutine": suspended,
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


class Pretender:
    """A class with code that a walk must not run."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError("a walk must not run code")

    def __sizeof__(self) -> int:
        raise RuntimeError("a walk must not run code")


def test_a_walk_runs_no_code_of_the_objects() -> None:
    dead = weakref.proxy(Registry("x"))
    spec = importlib.machinery.ModuleSpec("lazy", None)
    lazy = importlib.util.module_from_spec(spec)
    lazy.__class__ = importlib.util._LazyModule
    held = [Pretender(), Registry("x"), dead, lazy]
    ids = [fresh_id()]
    assert ids_held(ids, ignored=[ids]) == {}
    assert heap_bytes() > 0
    # a lazy module that is loaded gets its own class back
    assert type(held[-1]) is importlib.util._LazyModule


# Awaits futures before and after a walk, so that the C code of asyncio uses its free list. cpython issue 122695.
FREE_LIST = """
import asyncio, gc, sys
import _asyncio
from {module} import {name} as walk

async def await_many():
    for _ in range(300):
        futures = [asyncio.get_running_loop().create_future() for _ in range(4)]
        waiting = [asyncio.ensure_future(asyncio.wait_for(future, 10)) for future in futures]
        await asyncio.sleep(0)
        for future in futures:
            future.set_result(None)
        await asyncio.gather(*waiting)

async def main():
    for _ in range(3):
        await await_many()
        walk({arguments})
    await await_many()

asyncio.run(main())
print("ended")
"""
WALKS = [
    ("lab.servers.heap", "ids_held", "['x']"),
    ("lab.servers.heap", "heap_bytes", ""),
    ("good_server.tests.heap_server", "texts_on_the_heap", ""),
    ("good_server.tests.sizes", "collection_sizes", "{'modules': __import__('sys').modules}"),
]


@pytest.mark.parametrize(("module", "name", "arguments"), WALKS)
def test_a_walk_leaves_the_state_of_c_modules_alone(module: str, name: str, arguments: str) -> None:
    program = FREE_LIST.format(module=module, name=name, arguments=arguments)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=40, check=False)
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr


GETS_REFERENTS = ("gc.get_referents", "gc.get_referrers")


def test_only_three_places_walk_the_heap() -> None:
    root = Path(__file__).resolve().parents[3]
    files = [file for folder in ("bad_server", "good_server", "notebooks") for file in (root / folder).rglob("*.py")]
    found = {str(file.relative_to(root)) for file in files if any(name in file.read_text() for name in GETS_REFERENTS)}
    # a new one has to leave out modules, and has to be in `WALKS`
    in_tests = {"good_server/tests/heap_server.py", "good_server/tests/sizes.py"}
    assert found == {"notebooks/lab/servers/heap.py"} | in_tests
