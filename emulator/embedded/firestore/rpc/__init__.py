"""The service on the wire: handlers of the methods, and messages from and to the model."""
