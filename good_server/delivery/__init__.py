"""Optional part: faster delivery to rooms, with bounded send queues."""
