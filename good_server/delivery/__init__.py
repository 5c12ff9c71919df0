"""Optional part: faster delivery to rooms, with bounded send queues.

Without this folder python-socketio delivers the messages.
"""
