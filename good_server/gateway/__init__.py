"""Answers for the one door: every connect, every event's guards, its one ack, and every disconnect pass here."""

from ..gateway.gateway import STATE, Gateway
from ..gateway.refusals import NoSuchNamespace
from ..gateway.route import ANYONE, Guards, Request, Route, SocketState

__all__ = ["ANYONE", "STATE", "Gateway", "Guards", "NoSuchNamespace", "Request", "Route", "SocketState"]
