"""Production of records: bags with native, readable and load files, proofs, and the one-file verifier."""
