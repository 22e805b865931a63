"""Standard input, output and error as this process was given them: open, closed, full, broken, in whatever encoding.

A closed one is opened on nothing, so that no connection or file gets its number and is written into. What an encoding
cannot say is escaped, and never an error. What standard output does not take is an error that says so.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress

from replicator.errors import OutputFailed

FALLBACK = "backslashreplace"


class _Output(io.TextIOWrapper):
    """Standard output, whose failures are ours to explain. A reader that has gone away is no failure of anybody's."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _failed(error) from None

    def flush(self) -> None:
        try:
            super().flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _failed(error) from None


class _Said(io.TextIOWrapper):
    """Standard error. Where it takes no more, nobody can be told: the command goes on, and its exit code says how it ended."""

    def write(self, text: str) -> int:
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            _lead_nowhere(2)


def prepare() -> None:
    """Make the three streams usable, once. To be called before anything else is opened or imported."""
    if isinstance(sys.stdout, _Output):
        return
    closed = [number for number in (0, 1, 2) if not _is_open(number)]
    for number in closed:
        # Standard output closed alone is a mistake of the caller: a descriptor for reading makes each write an error. Where
        # standard error is closed too, as some supervisors start programs, nobody expects a result, and the exit code speaks of
        # the work alone.
        is_mistake = closed in ([1], [0, 1])
        os.open(
            os.devnull, os.O_RDONLY if number == 0 or is_mistake else os.O_WRONLY
        )  # the lowest free number: this one
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - open until the end
    encoding, is_watched = _kind(sys.stdout)
    sys.stdout = _Output(
        open(1, "wb", closefd=False),  # noqa: SIM115
        encoding=encoding,
        errors=FALLBACK,
        line_buffering=is_watched,
    )
    encoding, _ = _kind(sys.stderr)
    sys.stderr = _Said(
        open(2, "wb", closefd=False),  # noqa: SIM115
        encoding=encoding,
        errors=FALLBACK,
        line_buffering=True,
    )


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _kind(stream: object) -> tuple[str, bool]:
    """Return the encoding of a stream, and whether each line of it is to be seen at once."""
    if not isinstance(stream, io.TextIOWrapper):
        return "utf-8", False
    with suppress(OSError):
        stream.flush()
    return stream.encoding, stream.line_buffering


def write_bytes(content: bytes) -> None:
    """Write to standard output as it is, whatever its encoding."""
    sys.stdout.flush()
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _failed(error) from None


def finish() -> None:
    """Write what still waits. Raises OutputFailed, or BrokenPipeError; nothing waits any more afterwards."""
    try:
        sys.stdout.flush()
    except (OutputFailed, BrokenPipeError):
        give_up()
        raise


def give_up() -> None:
    """Let what still waits for standard output go nowhere, so that the end of the process does not fail by it."""
    _lead_nowhere(1)


def _lead_nowhere(number: int) -> None:
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)


def _failed(error: OSError) -> OutputFailed:
    give_up()  # it is said once
    why = (error.strerror or type(error).__name__).lower()
    return OutputFailed(
        f"standard output takes no more: {why}", advice="see where it leads to: a full disk, or a closed descriptor"
    )


__all__ = ["finish", "give_up", "prepare", "write_bytes"]
