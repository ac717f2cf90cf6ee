"""Firestore: a database that is a pure state machine, and the service that puts it on the wire."""
