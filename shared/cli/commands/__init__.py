"""The commands of `segue`, one module for what belongs together; each adds its own to the app."""
