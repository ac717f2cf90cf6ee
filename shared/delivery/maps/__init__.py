"""Steps that run once for each element of a list: how they are opened, what their ends mean."""
