"""The gateway: a Socket.IO namespace that checks every connect, event and disconnect."""

from .gateway import Gateway
from .membership import Membership
from .refusals import NoSuchNamespace
from .request import STATE, Request, SocketState
from .route import ANYONE, Guards, OnError, Route

__all__ = [
    "ANYONE",
    "STATE",
    "Gateway",
    "Guards",
    "Membership",
    "NoSuchNamespace",
    "OnError",
    "Request",
    "Route",
    "SocketState",
]
