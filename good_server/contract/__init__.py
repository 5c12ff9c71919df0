"""Exports the contract of all events, as AsyncAPI 3.0 and TypeScript.

Both are made from the server's own code: its routes, the models in `events` and the codes in `errors`.
"""

from .asyncapi import asyncapi
from .typescript import typescript

__all__ = ["asyncapi", "typescript"]
