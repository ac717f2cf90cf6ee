"""Collections: how they are filled, and how they are searched."""
