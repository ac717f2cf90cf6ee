"""The broker on the wire: the methods of the API, streams, and pushes over HTTP."""
