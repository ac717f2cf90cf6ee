"""What decides when a run may begin: turns of a key, batches, schedules that were missed."""
