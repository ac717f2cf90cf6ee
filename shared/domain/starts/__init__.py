"""What may start a run and when: by name, by batch, by schedule, by the turn of a key. Pure."""
