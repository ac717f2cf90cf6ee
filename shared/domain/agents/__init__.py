"""What a flow can say of agents and their tools, what they say, and what is kept of it. Pure."""
