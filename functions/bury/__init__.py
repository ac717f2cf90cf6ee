"""Dead letters: recorded with reason and original bytes, and what they stopped is failed."""
