"""Pure decisions: no clock, no randomness, no I/O; time and identity come in as arguments."""
