"""Run every measurement and write docs/measurements.md and docs/promises.md."""

from bench import (
    archive,
    deletions,
    memory,
    page,
    paging,
    payment,
    promises,
    reconcile,
    reconcile_match,
    renewal,
    service,
    simulator,
    sync,
    write_path,
)

for part in (
    write_path,
    sync,
    memory,
    simulator,
    paging,
    deletions,
    service,
    renewal,
    archive,
    payment,
    reconcile,
    reconcile_match,
):
    part.main()
page.main()
promises.main()
