"""In-memory ports and seeded faults: public doubles, left out of bundles."""
