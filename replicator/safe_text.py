r"""The one door for text that people are shown: messages, logs, tables, errors. Pure but for the secrets that it is told.

Text of the source, of the database, of the environment or of a file name may hold characters that act on a terminal or on
the text around them, and somebody may have put a secret into it. `visible` writes each such character as an escape
(`\x1b`, `\u202e`), `shown` also takes out the secrets that this process was told of, and `json_text` is JSON in which
nothing of this kind stands raw, with every value exact. A file's content (CSV, Parquet, HTML) does not go through here.
"""

from __future__ import annotations

import json
import logging
from typing import Any

PART = 6
"""So many characters in a row of a secret are a part of it that must not be shown."""
LEAST_HIDDEN = 12
"""A shorter secret is not looked for in texts: it may be an ordinary word, and taking it out would tell it."""
HIDDEN = "[secret]"

_IGNORABLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0") | {
    chr(code) for code in range(0xE0100, 0xE01F0)
}
"""Characters that show nothing although they count as printable: what they stand between looks like something else."""
_SPACES = frozenset("\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000")
"""Spaces other than the ordinary one: not printable for Python, and harmless."""

_secrets: set[str] = set()


def visible(text: str) -> str:
    r"""Return text on one line in which each character shows as itself; the others as `\xNN`, `\uNNNN`, `\UNNNNNNNN`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if _is_harmless(character) else escaped(character) for character in text)


def _is_harmless(character: str) -> bool:
    return (character.isprintable() and character not in _IGNORABLE) or character in _SPACES


def escaped(character: str) -> str:
    """Return one character as an escape. A byte that was no UTF-8 (surrogateescape) is shown as that byte."""
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # noqa: PLR2004 - how surrogateescape marks a byte
        return f"\\x{code - 0xDC00:02x}"
    if code <= 0xFF:  # noqa: PLR2004 - what two digits can say
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - what four digits can say


def hide(*secrets: str) -> None:
    """Tell what must never be shown by this process, as a whole or as the parts that it is split into."""
    _secrets.update(secret for secret in secrets if len(secret) >= LEAST_HIDDEN)


def shown(text: str) -> str:
    """Return text for a message: visible, and without the secrets that are known."""
    for secret in sorted(_secrets, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return visible(text)


def shown_lines(text: str) -> str:
    """Return text of ours that has several lines, each of them as `shown` gives it."""
    return "\n".join(shown(line) for line in text.split("\n"))


def echoes(text: str, secret: str) -> bool:
    """Say whether the text holds a part of the secret, in whatever case."""
    text, secret = text.casefold(), secret.casefold()
    return (
        any(secret[start : start + PART] in text for start in range(max(1, len(secret) - PART + 1)))
        if secret
        else False
    )


def json_text(value: Any, *, default: Any = None, indent: int | None = 2) -> str:
    """Return JSON in ASCII: every encoding can carry it, no terminal acts on it, and each value is exact."""
    return json.dumps(value, default=default, indent=indent).replace("\x7f", "\\u007f")


class LogFormatter(logging.Formatter):
    """One line for one record, whatever stands in it; only the traceback of a defect has lines of its own, indented."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text."""
        line = logging.Formatter.format(self, _without_traceback(record))
        frames = super().formatException(record.exc_info) if record.exc_info else ""
        return "\n".join([shown(line), *(f"    {shown(frame)}" for frame in frames.splitlines())])


def _without_traceback(record: logging.LogRecord) -> logging.LogRecord:
    copy = logging.makeLogRecord(record.__dict__)
    copy.exc_info = copy.exc_text = copy.stack_info = None
    return copy


__all__ = [
    "HIDDEN", "LEAST_HIDDEN", "PART", "LogFormatter", "echoes", "escaped", "hide", "json_text", "shown", "shown_lines",
    "visible",
]  # fmt: skip
