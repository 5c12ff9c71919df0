"""Exports the contract of all events, as AsyncAPI 3.0 and TypeScript.

The contract is the names, payloads, acks and errors of the events. Both formats are generated from the server's own
code: its routes (each is an event with its handler), the models in the module `events`, and the error codes in the
module `errors`.
"""

from .asyncapi import asyncapi
from .typescript import typescript

__all__ = ["asyncapi", "typescript"]
