"""A Truedy on your own machine, for the demo and the tests; every oddity of the real one is a switch."""
