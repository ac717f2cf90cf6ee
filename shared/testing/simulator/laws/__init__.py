"""What must hold of a simulated run however it went: one module a subject."""
