r"""Makes text safe to show: messages, logs, tables, errors. Pure, except for the list of secrets that it is given.

Text from the source, the database, the environment or a file name may contain characters that affect a terminal or the
text around them, or a secret. `visible` writes each such character as an escape (`\x1b`, `\u202e`). `shown` also
removes the secrets that this process was told. `json_text` is JSON without any such raw character, with every value
exact. `fitted` breaks lines for a terminal. The content of files (CSV, Parquet, HTML) does not go through here.
"""

from __future__ import annotations

import json
import logging
import re
from typing import Any

PART = 6
"""This many consecutive characters of a secret count as a part of it, which must not be shown."""
LEAST_HIDDEN = 12
"""A shorter secret is not removed from texts: it may be an ordinary word, and its removal would reveal it."""
HIDDEN = "[secret]"

_IGNORABLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0") | {
    chr(code) for code in range(0xE0100, 0xE01F0)
}
"""Invisible characters that count as printable: they make a text look like another text."""
_SPACES = frozenset("\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000")
"""Spaces other than the ordinary one: Python does not count them as printable, and they are harmless."""

_LABEL = re.compile(r"\s*\S+(?: \S+)*\s{2,}(?=\S)")
"""The beginning of a line such as `coverage   from the beginning`."""
_PIECE = re.compile(r"(?:`[^`]{1,60}`\S*|\S+)\s*")

_secrets: set[str] = set()


def visible(text: str) -> str:
    r"""Return text on one line with all other than visible characters escaped as `\xNN`, `\uNNNN`, `\UNNNNNNNN`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if _is_harmless(character) else escaped(character) for character in text)


def _is_harmless(character: str) -> bool:
    return (character.isprintable() and character not in _IGNORABLE) or character in _SPACES


def escaped(character: str) -> str:
    """Return one character as an escape. A byte that was not UTF-8 (surrogateescape) is shown as that byte."""
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # noqa: PLR2004 - how surrogateescape marks a byte
        return f"\\x{code - 0xDC00:02x}"
    if code <= 0xFF:  # noqa: PLR2004 - what two digits can say
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - what four digits can say


def hide(*secrets: str) -> None:
    """Register secrets that this process must never show, as a whole or in the parts into which they are split."""
    _secrets.update(secret for secret in secrets if len(secret) >= LEAST_HIDDEN)


def shown(text: str) -> str:
    """Return text for a message: visible, and without the secrets that are known."""
    for secret in sorted(_secrets, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return visible(text)


def shown_lines(text: str) -> str:
    """Return text of several lines, each line as `shown` returns it."""
    return "\n".join(shown(line) for line in text.split("\n"))


def echoes(text: str, secret: str) -> bool:
    """Say whether the text contains a part of the secret, in upper or lower case."""
    text, secret = text.casefold(), secret.casefold()
    return (
        any(secret[start : start + PART] in text for start in range(max(1, len(secret) - PART + 1)))
        if secret
        else False
    )


def json_text(value: Any, *, default: Any = None, indent: int | None = 2) -> str:
    """Return JSON in ASCII: every encoding can write it, it has no effect on a terminal, and each value is exact."""
    return json.dumps(value, default=default, indent=indent).replace("\x7f", "\\u007f")


def fitted(text: str, columns: int | None) -> str:
    """Return text whose lines are broken between words to fit so many columns (None: as they are). What is quoted in backticks and
    what has no blank stays in one piece. The rest of a line stands below its beginning, behind the label if it has one.
    """
    if columns is None or all(
        2 * len(line) <= columns for line in text.splitlines()
    ):  # a character has two columns at most
        return text
    from rich.cells import cell_len  # noqa: PLC0415 - it takes longer to load than most texts to say

    return "\n".join(
        one for line in text.splitlines() for one in (_broken(line, columns) if cell_len(line) > columns else [line])
    )


def _broken(line: str, columns: int) -> list[str]:
    from rich.cells import cell_len  # noqa: PLC0415 - as above

    label = _LABEL.match(line)
    indent = label.end() if label and label.end() <= columns // 3 else len(line) - len(line.lstrip())
    lines, now = [], line[:indent]
    for piece in _PIECE.findall(line[indent:]):
        if now.strip() and cell_len(now) + cell_len(piece.rstrip()) > columns:
            lines.append(now.rstrip())
            now = " " * indent
        now += piece
    return [*lines, now.rstrip()]


class LogFormatter(logging.Formatter):
    """Writes each record as one line, whatever it contains; only the traceback of a defect has
    further, indented lines.
    """

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
    "HIDDEN", "LEAST_HIDDEN", "PART", "LogFormatter", "echoes", "escaped", "fitted", "hide", "json_text", "shown", "shown_lines",
    "visible",
]  # fmt: skip
