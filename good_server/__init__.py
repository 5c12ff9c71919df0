"""The template that teams copy: Socket.IO with rooms, not socket ids."""

__version__ = "0.1.0"
