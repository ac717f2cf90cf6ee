"""Whether what flows say makes sense, told before anything runs: one module a subject."""
