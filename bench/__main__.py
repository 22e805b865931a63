"""Run every measurement and write docs/measurements.md and docs/promises.md."""

from bench import deletions, memory, page, paging, promises, renewal, service, simulator, sync, write_path

for part in (write_path, sync, memory, simulator, paging, deletions, service, renewal):
    part.main()
page.main()
promises.main()
