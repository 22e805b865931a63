"""What was read and what that proves: the ledger, the walk through a hole, partitions by filters, full scans. Pure."""
