"""What it costs, beside what the bare parts cost. `python -m bench` runs everything and writes docs/measurements.md."""
