"""A simulated Truedy API for the demo and the tests; every unusual behaviour of a real deployment is a switch."""
