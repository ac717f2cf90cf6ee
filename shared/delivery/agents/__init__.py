"""The turns of agents, their calls of tools, and the people who decide about those."""
