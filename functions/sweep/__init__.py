"""What time alone brings about: runs that took too long, records that have expired."""
