"""The Orchestrator's second half: a step's prompt is picked and rendered."""
