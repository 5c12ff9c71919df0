"""Messages to rooms that no request sends, such as a finished report."""

from collections.abc import Awaitable, Callable, Sequence

from ..events import Message
from ..rooms import Address
from .gateway import Gateway

# sends a message to an address: `await publish(address, message)`
Publish = Callable[[Address, Message], Awaitable[None]]


def publisher(gateways: Sequence[Gateway]) -> Publish:
    """Return the function that sends a message to an address.

    It raises `KeyError` for a namespace that none of the gateways serves.
    """
    by_namespace = {gateway.namespace: gateway for gateway in gateways}

    async def publish(address: Address, message: Message) -> None:
        await by_namespace[address.namespace].send(message.event, message, to=address.rooms)

    return publish
