"""Pub/Sub: a broker that is a pure state machine, and the service that puts it on the wire."""
