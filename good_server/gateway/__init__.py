"""Answers for the one door: every connect, every event's guards, its one ack, and every disconnect pass here."""

from good_server.gateway.door import STATE, Gateway
from good_server.gateway.refusal import NoSuchNamespace
from good_server.gateway.route import ANYONE, Guards, Request, Route, SocketState

__all__ = ["ANYONE", "STATE", "Gateway", "Guards", "NoSuchNamespace", "Request", "Route", "SocketState"]
