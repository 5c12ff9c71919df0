"""Counts memory, files, tasks, and the size of every collection.

A leak is a collection that is larger than before, although all clients have gone.
"""

import asyncio
import contextlib
import ctypes
import gc
import sys
import types
import weakref
from collections import deque

import psutil

from .package import PACKAGE

# modules whose variables may hold something of a client; the tests themselves are left out
PACKAGES = (PACKAGE, "socketio", "engineio", "aiohttp", "websockets", "structlog")
COLLECTIONS = (dict, list, set, deque)
ATOMS = (str, bytes, int, float, complex, bool, type(None), range, types.CodeType, types.ModuleType, weakref.ref)
FUNCTIONS = (types.FunctionType, types.MethodType)


def measured(application):
    """Return all counts of this process. The keys of `maps` are paths, such as `application.sio.manager.rooms`."""
    gc.collect()
    gc.collect()
    _give_back_memory()
    process = psutil.Process()
    manager = application.sio.manager
    return {
        "rss_mb": process.memory_info().rss / 2**20,
        "files": process.num_fds(),
        "tasks": len(asyncio.all_tasks()),
        "objects": len(gc.get_objects()),
        "connections": application.limits.connections,
        "rooms": sum(len(rooms) for rooms in manager.rooms.values()),
        "maps": collection_sizes({"application": application} | _modules()),
    }


def collection_sizes(roots):
    """Return the total size of the collections at each path. Empty ones are left out.

    `roots` are the objects to start from, by name.
    """
    sizes, seen = {}, set()
    waiting = deque(roots.items())
    while waiting:
        path, thing = waiting.popleft()
        if isinstance(thing, ATOMS) or id(thing) in seen:
            continue
        seen.add(id(thing))
        if hasattr(thing, "__dict__"):
            # An object may set an attribute late, as a lock does when the first task waits. That is not a leak.
            seen.add(id(vars(thing)))
        if isinstance(thing, COLLECTIONS) and thing:
            sizes[path] = sizes.get(path, 0) + len(thing)
        waiting.extend(_parts(path, thing))
    return sizes


def _modules():
    names = [name for name in sys.modules if name.partition(".")[0] in PACKAGES and f"{PACKAGE}.tests" not in name]
    return {name: dict(vars(sys.modules[name])) for name in names}


def _parts(path, thing):
    """Yield the path and the value of everything that `thing` holds."""
    if isinstance(thing, dict):
        yield from ((f"{path}[]", part) for item in list(thing.items()) for part in item)
    elif isinstance(thing, type):
        # a class variable may be a collection of all its objects
        if thing.__module__.partition(".")[0] in PACKAGES:
            yield from ((f"{path}.{name}", part) for name, part in list(vars(thing).items()))
    elif isinstance(thing, types.FunctionType):
        # not its module, which has a path of its own
        yield from ((f"{path}()", part) for part in (*(thing.__closure__ or ()), *(thing.__defaults__ or ())))
    elif hasattr(thing, "__dict__") and not isinstance(thing, types.MethodType):
        yield from ((f"{path}.{name}", part) for name, part in list(vars(thing).items()))
        yield from _unnamed(path, thing)
    else:
        yield from _unnamed(path, thing)


def _unnamed(path, thing):
    """Yield slots, and what the collector sees: a coroutine's variables, for example."""
    names = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ()) if isinstance(name, str)]
    for name in names:
        with contextlib.suppress(AttributeError):
            yield f"{path}.{name}", getattr(thing, name)
    yield from ((f"{path}[]", part) for part in gc.get_referents(thing) if not isinstance(part, type))


def _give_back_memory():
    # glibc keeps freed memory; other systems have no such call
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
