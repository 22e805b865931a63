"""The replica is kept equal to the source: the engine decides, and the modules here perform."""
