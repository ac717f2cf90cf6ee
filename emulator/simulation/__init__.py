"""Simulations of flows: the simulator's machinery over the engine's own broker and database."""
