"""The engine as a value: decides what to ask, what an answer proves and what to write. Pure.

Nothing here reads a clock, a network, a database, the environment or a random number, and nothing here waits. The owner
of an `Engine` performs its actions and reports their results: `sync/run.py` with threads and transactions, the
simulations and benchmarks in virtual time.
"""
