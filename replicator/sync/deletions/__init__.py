"""When a stored call counts as deleted at the source, and how to find out. Pure."""
