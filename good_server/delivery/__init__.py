"""Optional delivery path: fast fan-out and a bounded send queue per connection."""
