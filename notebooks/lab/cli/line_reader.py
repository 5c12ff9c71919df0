"""Reads lines from stdin without blocking the event loop."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator

STDIN = 0
CHUNK_BYTES = 4096


async def lines() -> AsyncIterator[str]:
    """Yield each line of stdin, without its line break, until stdin closes."""
    loop, chunks = asyncio.get_running_loop(), asyncio.Queue[bytes]()

    def read() -> None:
        chunk = b"-"
        while chunk:
            try:
                chunk = os.read(STDIN, CHUNK_BYTES)
            except OSError:
                chunk = b""
            try:
                loop.call_soon_threadsafe(chunks.put_nowait, chunk)
            except RuntimeError:
                # the loop was closed meanwhile
                return

    # a daemon, and not `sys.stdin`, whose lock would hold the end of the process until the next line
    threading.Thread(target=read, daemon=True).start()
    waiting = b""
    while chunk := await chunks.get():
        *complete, waiting = (waiting + chunk).split(b"\n")
        for line in complete:
            yield line.decode(errors="replace").rstrip("\r")
    if waiting:
        yield waiting.decode(errors="replace")
