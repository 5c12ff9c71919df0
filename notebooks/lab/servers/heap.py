"""Answers for what is on a process's heap: its size, and which of some ids are still referenced from any container.

`gc.get_objects()` alone would miss what matters: the collector does not track dicts and tuples that hold only strings,
and `gc.get_referents` of a dict leaves its string keys out. So containers are walked by what they are.
"""

import gc
import sys
import types
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

# an id inside a longer string, `user:<id>`; what is longer is a text, not an address
LONGEST_STRING = 200
_ATOMS = (str, bytes, int, float, bool, type(None), type, types.ModuleType, types.CodeType)


def ids_held(ids: Iterable[str], *, ignored: Iterable[Any] = ()) -> dict[str, int]:
    """How many references each of `ids` still has from containers; ids that nothing holds are absent.

    `ignored` are containers of the caller's own. One pass, under a second for some 100,000 objects.
    """
    wanted = frozenset(ids)
    if not wanted:
        return {}
    lengths = sorted({len(name) for name in wanted})
    references: Counter[str] = Counter()
    # counted before they are searched: most strings are held many times
    references.update(_strings({id(thing) for thing in (wanted, references, *ignored)}))
    found: dict[str, int] = {}
    for text, count in references.items():
        for name in _names_in(text, wanted, lengths):
            found[name] = found.get(name, 0) + count
    return found


def heap_bytes() -> int:
    """What all objects on the heap take, in bytes, by `sys.getsizeof`; free lists and C buffers are not in it.

    Exact where allocations traced from a moment on are not: what was there before that moment and is replaced by its
    like would look like growth. One pass, under a second for some 100,000 objects.
    """
    gc.collect()
    tracked = gc.get_objects()
    seen = {id(thing) for thing in tracked}
    total = 0
    for thing in tracked:
        pending = [thing]
        while pending:
            found = pending.pop()
            total += sys.getsizeof(found, 0)
            for child in _children(found):
                if id(child) not in seen and not gc.is_tracked(child):
                    seen.add(id(child))
                    pending.append(child)
    return total


def _names_in(text: str, wanted: frozenset[str], lengths: Iterable[int]) -> Iterator[str]:
    if text in wanted:
        yield text
    if len(text) > LONGEST_STRING:
        return
    for length in lengths:
        for start in range(len(text) - length + 1 if length < len(text) else 0):
            if (part := text[start : start + length]) in wanted:
                yield part


def _strings(ignored: set[int]) -> Iterator[str]:
    """Every string that some container holds, once for each reference."""
    gc.collect()
    tracked = gc.get_objects()
    seen = ignored | {id(tracked), id(ignored)}
    seen.update(id(thing) for thing in tracked)
    seen.add(id(seen))
    own = {id(tracked), id(seen), id(ignored), *ignored}
    pending: list[Any] = []
    own.add(id(pending))
    for thing in tracked:
        # frames hold what is being worked with, which includes this search
        if id(thing) in own or isinstance(thing, (types.FrameType, types.GeneratorType)):
            continue
        pending.append(thing)
        while pending:
            for child in _children(pending.pop()):
                if isinstance(child, str):
                    yield child
                elif not isinstance(child, _ATOMS) and id(child) not in seen and not gc.is_tracked(child):
                    # untracked: nobody else will walk it
                    seen.add(id(child))
                    pending.append(child)


def _children(thing: Any) -> Iterable[Any]:
    if isinstance(thing, dict):
        # a copy at C speed, as the walk must not see a dict change under it
        return [*thing.keys(), *thing.values()]
    if isinstance(thing, types.ModuleType):
        # `_asyncio` before 3.13.0 ruins its own free list when the collector walks it, and hangs: cpython issue 122695
        return [vars(thing)]
    return gc.get_referents(thing)
