"""The values that pass between the engine and its owner: requests, outcomes, questions, actions, events. Pure."""
