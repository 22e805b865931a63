"""The doctor: checks settings, files, machine, database and source, and says what is wrong and what to do."""
