"""Asks the model, checks the answer against the prompt's schema and has it repaired once."""
