"""The compliance archive: what is sealed, for how long it is kept, and how it is erased."""
