"""What several processes of one server share, through Redis; one process alone needs none of it."""
