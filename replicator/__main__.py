"""The entry point of `python -m replicator` and the command `replicator`: first the standard streams, then the command
line.
"""

import gc

from replicator import streams


def main() -> None:
    """Run the command line. The streams come first: before that, a file that is opened could get the number of a closed
    stream.
    """
    streams.prepare()
    # What is imported stays: looking for garbage in it, again and again, is a tenth of the start. frame.loaded ends this.
    gc.disable()
    from replicator import cli  # noqa: PLC0415 - see above

    cli.main()


if __name__ == "__main__":
    main()
