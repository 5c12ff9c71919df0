"""The gateway that every connect, event, ack and disconnect passes through."""

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
