"""Live page: both servers side by side, driven by hand."""
