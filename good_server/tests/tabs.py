"""Socket.IO clients that act as browser tabs and keep received events."""

import asyncio

import socketio

from .servers import FENCE
from .waiting import WAIT_SECONDS


class Tab:
    """One browser tab: a Socket.IO client that keeps received events."""

    def __init__(self, http, **options):
        self.sio = socketio.AsyncClient(http_session=http, handle_sigint=False, **({"reconnection": False} | options))
        self.inbox = asyncio.Queue()
        self.refusal = asyncio.get_running_loop().create_future()
        self.closed, self.connected = asyncio.Event(), asyncio.Event()
        self.sio.on("*", lambda event, data: self.inbox.put_nowait((event, data)))
        self.sio.on("connect", self.connected.set)
        self.sio.on("connect_error", lambda data: self.refusal.set_result(data))
        self.sio.on("connect_error", lambda _, data: self.refusal.set_result(data), namespace="*")
        self.sio.on("disconnect", lambda reason: (self.connected.clear(), self.closed.set()))

    async def connect(self, url, token, **options):
        auth = token if callable(token) or token is None else {"token": token}
        await self.sio.connect(
            url, auth=auth, **({"transports": ["websocket"], "wait_timeout": WAIT_SECONDS} | options)
        )

    async def ask(self, event, data=None):
        """Send an event and return its ack."""
        return await self.sio.call(event, data, timeout=WAIT_SECONDS)

    async def code(self, event, data=None):
        """Send an event and return the error code of its ack."""
        return (await self.ask(event, data))["error"]["code"]

    async def receives(self, event):
        """Wait for the next `event`, and return its payload. Other events are skipped."""
        while True:
            name, data = await asyncio.wait_for(self.inbox.get(), WAIT_SECONDS)
            if name == event:
                return data

    async def received_until_fence(self, number):
        """Return the events that arrived before the fence with this number. `Server.fence` sends this fence."""
        received = []
        while (item := await asyncio.wait_for(self.inbox.get(), WAIT_SECONDS)) != (FENCE, number):
            received += [item] if item[0] != FENCE else []
        return received

    async def is_closed(self):
        return await asyncio.wait_for(self.closed.wait(), WAIT_SECONDS)

    async def is_back(self):
        """Wait, after `is_closed`, until the client has reconnected by itself."""
        return await asyncio.wait_for(self.connected.wait(), WAIT_SECONDS)

    async def shut_down(self):
        """Close the client, even while it is reconnecting."""
        # without this turn of the loop, `shutdown` may wait forever for a reconnect that has not started
        self.sio.reconnection = False
        await asyncio.sleep(0)
        await self.sio.shutdown()
