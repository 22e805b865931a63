"""Views as files: what is asked for, how a cell is written, and the file that appears when it is complete."""
