"""Firestore in memory. `model` and `values` are what all others speak.

`database` holds documents and commits writes, `run_query` and `aggregation` answer queries (their
parts are in `query`), `locking_database` adds transactions and locks, `rpc` puts it on the wire.
"""
