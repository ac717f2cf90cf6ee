"""Typed flows, file by file."""
