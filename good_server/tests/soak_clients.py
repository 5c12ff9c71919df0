"""Eight kinds of clients that connect and disconnect, for the soak.

Each function opens one connection and ends it in its own way. It returns whether the server ended it, too.
"""

import asyncio

from . import tokens
from .stand_in import LEAVE_TEXT, topic
from .wire import CLOSE, Bare

USERS = 500
# the longest wait for the server's end of a connection; the machine is shared
WAIT_SECONDS = 15.0
NORMAL = (1000).to_bytes(2, "big")


async def joined(url, settings, number):
    """Open a connection, be accepted, and wait for one ack."""
    user = f"soak-{number % USERS}"
    opened = await Bare.open(url, tokens.token(settings, user, rooms=[topic(str(number % USERS))]))
    opened.send(f"421{LEAVE_TEXT}")
    if await opened.ack(1) is None:
        opened.cut()
        raise OSError("no ack")
    return opened


async def close_frame(url, settings, number):
    opened = await joined(url, settings, number)
    opened.send(NORMAL, kind=CLOSE)
    return await ended(opened)


async def fin(url, settings, number):
    opened = await joined(url, settings, number)
    opened.writer.write_eof()
    return await ended(opened)


async def reset(url, settings, number):
    (await joined(url, settings, number)).cut()
    return True


async def engine_close(url, settings, number):
    opened = await joined(url, settings, number)
    opened.send("1")
    return await ended(opened)


async def socket_disconnect(url, settings, number):
    opened = await joined(url, settings, number)
    opened.send("41")
    return await ended(opened)


async def refused_token(url, settings, number):
    opened = await Bare.open(url)
    opened.send('40{"token":"soak"}')
    return await ended(opened)


async def half_open(url, settings, number):
    """Never answer a ping, until the server closes."""
    opened = await joined(url, settings, number)
    return await ended(opened)


async def silent(url, settings, number):
    """Never send CONNECT, until the server closes."""
    return await ended(await Bare.open(url))


async def ended(opened):
    """Return whether the server ends the connection. This side answers nothing."""
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while await opened.reader.read(1 << 16):
                pass
    except TimeoutError:
        return False
    except OSError:
        pass
    finally:
        opened.cut()
    return True


KINDS = (close_frame, fin, reset, engine_close, socket_disconnect, refused_token, half_open, silent)
# how many connections of a kind are open at a time: some wait for a deadline of the server
AT_A_TIME = {refused_token: 60, socket_disconnect: 200, half_open: 400, silent: 300}
FEW = 6


async def cycle(kind, url, settings, count):
    """Run `count` connections of one kind. Return how many did not end as they must, and why."""
    numbers, failures = iter(range(count)), []

    async def one():
        for number in numbers:
            try:
                if not await kind(url, settings, number):
                    failures.append("the server did not end the connection")
            except OSError as error:
                failures.append(f"{error} ({error.__cause__!r})")

    await asyncio.gather(*(one() for _ in range(AT_A_TIME.get(kind, FEW))))
    return failures
