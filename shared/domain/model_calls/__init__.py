"""Whether a model may be asked now: its quota, its health, and answers that are kept. Pure."""
