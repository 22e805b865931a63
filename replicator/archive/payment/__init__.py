"""Payment data and the recording notice: found in texts, masked, and noted by call."""
