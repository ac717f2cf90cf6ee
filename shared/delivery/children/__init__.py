"""Runs opened by a step of another run: their beginning, and what their end means for it."""
