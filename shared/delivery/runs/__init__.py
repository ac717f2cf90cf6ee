"""How runs are opened, end, are heard of and are told of; one module a question."""
