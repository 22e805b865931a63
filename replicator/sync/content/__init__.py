"""What an observation does to what is stored: calls, their details, what a status means. Pure."""
