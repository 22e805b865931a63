"""The doctor: looks at settings, files, machine, database and source, and says of each what is wrong and what to do."""
