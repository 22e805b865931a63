"""Makes standard input, output and error usable in any state: open, closed, full, broken, in any encoding.

A closed stream is opened on the null device, so that no connection or file gets its number and is written into.
Characters that the encoding does not have are escaped, without an error. If standard output cannot be written, that is
an error with an explanation.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress

from replicator.errors import OutputFailed
from replicator.safe_text import fitted

FALLBACK = "backslashreplace"


class _Output(io.TextIOWrapper):
    """Standard output; its failures become our errors. If the reader has gone away, that is no failure."""

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
    """Standard error. If it cannot be written, the command goes on without a message, and its exit code shows the
    result.
    """

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
    """Make the three streams usable, once. Must be called before anything else is opened or imported."""
    if isinstance(sys.stdout, _Output):
        return
    closed = [number for number in (0, 1, 2) if not _is_open(number)]
    for number in closed:
        # If only standard output is closed, that is a mistake of the caller: a descriptor for reading makes each write
        # an error. If standard error is closed too, as some supervisors start programs, no result is expected, and the
        # exit code depends on the work alone.
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
    """Return the encoding of a stream, and whether each of its lines must be written at once."""
    if not isinstance(stream, io.TextIOWrapper):
        return "utf-8", False
    with suppress(OSError):
        stream.flush()
    return stream.encoding, stream.line_buffering


def write_bytes(content: bytes) -> None:
    """Write bytes to standard output unchanged, whatever its encoding is."""
    sys.stdout.flush()
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _failed(error) from None


def say(text: str, *, err: bool = False) -> None:
    """Write lines for people, and in a terminal break them between words. Elsewhere a line stays one line, for grep and awk."""
    stream = sys.stderr if err else sys.stdout
    print(fitted(text, _columns(stream)), file=stream, flush=True)


def _columns(stream: object) -> int | None:
    """Return the width of the terminal that a stream leads to; None where it leads elsewhere."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or None  # type: ignore[attr-defined]
    except (OSError, ValueError, AttributeError):
        return None


def finish() -> None:
    """Write everything that is buffered. Raises OutputFailed or BrokenPipeError; after that the buffer is empty in any
    case.
    """
    try:
        sys.stdout.flush()
    except (OutputFailed, BrokenPipeError):
        give_up()
        raise


def give_up() -> None:
    """Discard everything that is buffered for standard output, so that the end of the process does not fail."""
    _lead_nowhere(1)


def _lead_nowhere(number: int) -> None:
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)


def _failed(error: OSError) -> OutputFailed:
    give_up()  # the error is reported once
    why = (error.strerror or type(error).__name__).lower()
    return OutputFailed(
        f"standard output takes no more: {why}", advice="see where it leads to: a full disk, or a closed descriptor"
    )


__all__ = ["finish", "give_up", "prepare", "say", "write_bytes"]
