"""The compliance archive: what was observed and done is sealed in a chain, so that any later change is found."""
