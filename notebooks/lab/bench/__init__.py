"""The bench: the good server beside its peers, one load, one run; `lab bench` runs it."""
