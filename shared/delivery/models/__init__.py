"""How a model is asked: which one, when, and whether its answer is known already."""
