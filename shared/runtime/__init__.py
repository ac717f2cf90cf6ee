"""The process edge: settings, log lines, composition root and HTTP entry."""
