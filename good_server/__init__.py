"""A Socket.IO server for teams to copy. It sends messages to rooms, not to socket ids."""

__version__ = "0.1.0"
