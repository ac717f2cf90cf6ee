"""A deterministic simulator: the real stages in one thread, on virtual time, in seeded weather."""
