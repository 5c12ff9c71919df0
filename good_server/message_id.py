"""Ids of messages."""

import random

ID_BITS = 128


def new_message_id() -> str:
    """Return the id of a new message, as 32 hexadecimal digits. It is unique, but not secret."""
    # not from `secrets`, whose system call would be a twentieth of the cost of a message
    return f"{random.getrandbits(ID_BITS):0{ID_BITS // 4}x}"
