"""What models cost, what a flow may spend, what a call becomes that would cost too much. Pure."""
