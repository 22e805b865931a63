"""`python -m replicator` and the command `replicator`: the standard streams first, then the command line."""

from replicator import streams


def main() -> None:
    """Run the command line. Until the streams are open, whatever is opened could get the number of a closed one."""
    streams.prepare()
    from replicator import cli  # noqa: PLC0415 - see above

    cli.main()


if __name__ == "__main__":
    main()
