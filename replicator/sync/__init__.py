"""The engine: what is proven, what to ask next, and the loop that asks, parses and commits."""
