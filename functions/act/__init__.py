"""Actions and calls: the effects a flow asks for."""
