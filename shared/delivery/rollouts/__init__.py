"""Rollouts over the ports: who gets which variant, what is counted, what follows from it."""
