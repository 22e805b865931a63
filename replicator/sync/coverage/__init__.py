"""Records what was read and what it proves: the ledger, the walk through a hole, partitions by filters, full scans.
Pure.
"""
