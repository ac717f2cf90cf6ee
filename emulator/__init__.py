"""Runs the whole system on one machine: local engines, model stand-in, sink and gateway.

Nothing under `functions/` or `shared/` may import it, and nothing here is deployed.
"""
