"""Ten mistakes, one module each, runnable together."""
