"""What passes between the engine and who performs it, as values: requests, outcomes, questions, actions, events. Pure."""
