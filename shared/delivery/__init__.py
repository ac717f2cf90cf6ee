"""At-least-once delivery made safe: the step protocol over the ports."""
