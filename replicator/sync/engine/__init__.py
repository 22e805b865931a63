"""The engine as a value: what is worth asking, what an answer proves, what is to be written. Pure.

Nothing here reads a clock, a network, a database, the environment or a random number, and nothing here waits. Whoever
owns an `Engine` performs its actions and tells it what came of them: `sync/run.py` with threads and transactions, the
simulations and the benches in virtual time.
"""
