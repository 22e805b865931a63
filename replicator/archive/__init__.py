"""The compliance archive: recordings are kept, every later change is evident, holds and retention bind the program."""
