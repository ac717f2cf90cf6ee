"""The Orchestrator's first half: an event becomes runs, one for each flow it starts."""
