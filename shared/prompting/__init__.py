"""Prompts and flows as typed, content-addressed objects read from `prompts/`."""
