"""One suite of what production documents, run on every local engine."""
