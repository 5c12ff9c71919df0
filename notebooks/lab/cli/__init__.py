"""The commands of `lab`, one module each."""
