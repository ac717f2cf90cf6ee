"""`make bench`: what a hop and a run cost, against a floor measured in the same run."""
