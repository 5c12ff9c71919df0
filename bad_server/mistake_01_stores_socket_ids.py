"""Mistake: (being written)."""

from good_server.app import Parts
from good_server.gateway import Gateway


class Handlers(Gateway):
    def __init__(self, namespace: str, parts: Parts) -> None:
        super().__init__(namespace, parts.guards)
