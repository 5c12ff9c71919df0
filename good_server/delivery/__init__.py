"""Delivers messages to rooms faster than python-socketio, with bounded send queues.

This folder is optional: without it python-socketio delivers the messages.
"""
