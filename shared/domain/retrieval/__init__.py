"""Collections of documents: how they are cut and kept, and what is asked of them. Pure."""
