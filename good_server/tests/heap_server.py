"""A stand-in server that searches its own heap for socket ids.

With the argument `forgetless` it keeps the socket ids of users whose name is one of `WAYS`, like a memory leak. Each
line on stdin asks which ids are on the heap. The ids are written backwards, so that the search does not find the line.
"""

import asyncio
import gc
import sys
from collections import OrderedDict, deque
from types import ModuleType

from ..app import assemble, create_parts
from ..gateway import Gateway
from ..lifecycle import serve
from ..observability import configure_logging
from ..rooms import everyone
from ..settings import Settings
from .stand_in import create_routes


async def hold(sid):
    await asyncio.Event().wait()


WAYS = {
    "dict-of-ids": (dict, lambda kept, user, sid: kept.update({sid: user})),
    "dict-of-users": (dict, lambda kept, user, sid: kept.update({user: sid})),
    "dict-of-lists": (dict, lambda kept, user, sid: kept.setdefault(user, []).append(sid)),
    "list-of-tuples": (list, lambda kept, user, sid: kept.append((user, sid))),
    "set-of-rooms": (set, lambda kept, user, sid: kept.add(f"socket:{sid}:{user}")),
    "deque": (deque, lambda kept, user, sid: kept.append(sid)),
    "ordered-dict": (OrderedDict, lambda kept, user, sid: kept.update({(user, sid): None})),
    "closure": (list, lambda kept, user, sid: kept.append(lambda: sid)),
    "task": (list, lambda kept, user, sid: kept.append(asyncio.create_task(hold(sid)))),
    "bytes": (list, lambda kept, user, sid: kept.append(sid.encode())),
}


class Forgetless(Gateway):
    """A gateway that keeps each socket id after the socket closed.

    The user's name says in which of `WAYS`.
    """

    kept = {way: make() for way, (make, _) in WAYS.items()}  # noqa: RUF012 - the mistake itself

    async def joined(self, request):
        await super().joined(request)
        way = request.identity.user
        WAYS[way][1](self.kept[way], way, request.sid)


def texts_on_the_heap():
    """Return all strings and bytes that objects of this process hold.

    `gc.get_objects()` leaves out dicts and tuples that hold only strings, and `gc.get_referents` leaves out keys that
    are strings.
    """
    seen, waiting, texts = set(), gc.get_objects(), {}
    while waiting:
        thing = waiting.pop()
        # not isinstance, which runs code of a proxy
        if issubclass(type(thing), str | bytes | bytearray):
            texts[id(thing)] = thing
        elif id(thing) not in seen and thing is not texts and thing is not seen:
            seen.add(id(thing))
            waiting += _parts(thing)
    return [text.encode(errors="replace") if isinstance(text, str) else bytes(text) for text in texts.values()]


def _parts(thing):
    if issubclass(type(thing), ModuleType):
        # `_asyncio` before 3.13 damages its own free list when it is walked, and hangs: cpython issue 122695
        return [object.__getattribute__(thing, "__dict__")]
    # for a dict also a copy of its keys, at C speed, as the walk must not see it change
    keys = [*dict.keys(thing)] if issubclass(type(thing), dict) else []
    return [*keys, *gc.get_referents(thing)]


async def held(gateway, left, *backwards):
    """Wait until only `left` sockets remain. Return the numbers of the given ids that are on the heap."""
    while sum(len(gateway.sids_in(room)) for room in everyone()) != int(left):  # noqa: ASYNC110 - there is no event
        await asyncio.sleep(0.01)
    gc.collect()
    heap = b"\n".join(texts_on_the_heap())
    return [number for number, id in enumerate(backwards) if id[::-1].encode() in heap]


def say(*words):
    sys.stdout.write(" ".join(str(word) for word in words) + "\n")
    sys.stdout.flush()


async def answer(gateway, stop):
    while question := await asyncio.to_thread(sys.stdin.readline):
        say(*await held(gateway, *question.split()))
    stop.set()


async def serve_searched(gateway_class):
    configure_logging(json_lines=True)
    parts = create_parts(Settings(port=0, internal_port=0, report_workers=1))
    gateway = gateway_class("/", parts.guards, create_routes(parts))
    stop = asyncio.Event()
    answering = asyncio.create_task(answer(gateway, stop))
    await serve(assemble(parts, [gateway]), lambda addresses: say(addresses.public), stop)
    await answering


def main(kind=""):
    asyncio.run(serve_searched(Forgetless if kind == "forgetless" else Gateway))
