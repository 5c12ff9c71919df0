"""Optional part: several processes of one server, sharing state through Redis."""
