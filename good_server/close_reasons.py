"""Reasons for the end of a connection.

Each reason appears in the log and in the metric `server_closes`.
"""

from collections.abc import MutableMapping
from enum import StrEnum
from typing import Any

from .closing import CLOSE_REASON


class CloseReason(StrEnum):
    """Why a connection ended."""

    DRAIN = "drain"
    EVICTED = "evicted"
    EXPIRED = "expired"
    # a back end disconnected the user
    REVOKED = "revoked"
    SLOW_READER = "slow reader"
    FLOOD = "flood"
    MALFORMED = "malformed"
    CLIENT_LEFT = "client left"
    PING_TIMEOUT = "ping timeout"
    TRANSPORT_LOST = "transport lost"
    # another namespace refused its CONNECT on the same connection
    REFUSED = "refused"
    # closed by code of the product, without a reason
    SERVER = "closed by the server"


# other words for a reason: those of python-engineio, and those of the send queue
_SYNONYMS = {
    "client disconnect": CloseReason.CLIENT_LEFT,
    "ping timeout": CloseReason.PING_TIMEOUT,
    "transport close": CloseReason.TRANSPORT_LOST,
    "transport error": CloseReason.TRANSPORT_LOST,
    "server disconnect": CloseReason.SERVER,
    "slow": CloseReason.SLOW_READER,
    "stalled": CloseReason.SLOW_READER,
}


def note_reason(request: MutableMapping[Any, Any], reason: str) -> None:
    """Store why a connection ends, if no reason is stored yet.

    Only the first reason counts, because later reasons are consequences of the first.
    """
    request.setdefault(CLOSE_REASON, reason)


def reason_of(request: MutableMapping[Any, Any], library_reason: str) -> str:
    """Return why the connection of this request ended.

    If no reason was stored, this is `library_reason`, the reason that python-engineio gave.
    """
    reason = str(request.get(CLOSE_REASON, library_reason))
    return _SYNONYMS.get(reason, reason)
