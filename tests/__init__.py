"""Tests; the rules of each tier are in README.md."""
