"""What people look at: the terminal's progress, tables and summaries. Knows the words of the other rooms, not their work."""
