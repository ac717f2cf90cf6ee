"""How prompts are named, and what the registry keeps of them. Pure."""
