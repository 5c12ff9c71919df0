"""The template that teams copy: Socket.IO with rooms, not socket ids."""
