"""Run every measurement and write docs/measurements.md."""

from bench import memory, page, service, simulator, sync, write_path

for part in (write_path, sync, memory, simulator, service):
    part.main()
page.main()
