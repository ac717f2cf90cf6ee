"""Money: what a model call may cost is reserved before it and settled after it."""
