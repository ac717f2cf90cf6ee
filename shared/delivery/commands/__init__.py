"""What people ask of a run that is under way: cancelled, paused, resumed."""
