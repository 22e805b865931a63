"""Run every measurement and write docs/measurements.md."""

from bench import memory, page, simulator, sync, write_path

for part in (write_path, sync, memory, simulator):
    part.main()
page.main()
