"""The console: runs are looked at and acted on over HTTP, by people and programs with a token."""
