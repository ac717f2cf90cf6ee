"""The whole pipeline in memory, feature by feature."""
