"""Optional chat features: history, receipts, typing indicators and presence.

Each feature is a separate module with its own events and handlers. A server that uses none of the features never
imports this folder. History and receipts need SQLAlchemy; `README.md` of this folder names the packages.
"""
