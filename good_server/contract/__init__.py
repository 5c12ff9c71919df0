"""The wire contract for other languages: AsyncAPI 3.0, and TypeScript types.

Both are made from what the server runs on: its routes, the models of `events`, the codes of `errors`.
"""

from .asyncapi import asyncapi
from .typescript import typescript

__all__ = ["asyncapi", "typescript"]
