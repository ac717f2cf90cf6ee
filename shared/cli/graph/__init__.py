"""Drawn flows: read from a declaration, filled in from a run, laid out, written as text or SVG."""
