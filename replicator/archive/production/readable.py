"""Writes a transcript so that a person can read it: as plain text, and as one HTML page. Pure.

What callers say is chosen by strangers. Characters that cannot be seen or that change their neighbours (controls,
overrides of the text's direction, zero width) are shown as an escape; the page has no scripts and a policy that loads
nothing; a line break inside an utterance is indented, so that no utterance can look like another one. The JSON file
beside them has the exact text. archive/production/verify_file.py makes both again from the sealed JSON, so their form is part of
the format (docs/archive-export.md).
"""

from __future__ import annotations

import json
import re
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uuid import UUID

_UNSEEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff"
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
FIELDS = ("timestamp", "speaker", "text")
"""What is shown of a segment, under the names of the contract."""
STYLE = "body{font:16px/1.5 sans-serif;margin:2em}td{padding:.2em 1em .2em 0;vertical-align:top;white-space:pre-wrap}"
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
NOTE = "Characters that cannot be seen are shown as \\u and their number; the JSON file beside this one has the exact text."


def visible(text: str) -> str:
    r"""Return text with all that cannot be seen as `\uNNNN`. Line breaks stay, as line feeds."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found.group()):04x}", text.replace("\r\n", "\n"))


def value_text(value: Any) -> str:
    """Return a JSON value as text; objects and lists as compact JSON. Numbers were read as text, with all digits."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def read_json(text: bytes) -> Any:
    """Return JSON with each number as its text; None where it is nested too deep to be read."""
    try:
        return json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except RecursionError:
        return None


def transcript(call_id: UUID, sequence: int, sealed: Any) -> tuple[str, str]:
    """Return (text, HTML page) of a transcript's sealed JSON: an object with the list `segments`."""
    segments = sealed.get("segments") if isinstance(sealed, dict) else None
    said = [
        [visible(value_text(one.get(name))) for name in FIELDS]
        for one in (segments if isinstance(segments, list) else [])
        if isinstance(one, dict)
    ]
    head = [f"Transcript of call {call_id}", f"Record {sequence} of the archive.", NOTE]
    lines = [
        f"[{_on_one_line(start)} s] {_on_one_line(speaker)}: {words.replace(chr(10), chr(10) + '    ')}"
        for start, speaker, words in said
    ]
    return "\n".join([*head, "", *lines, ""]), _page(head, said)


def _page(head: list[str], said: list[list[str]]) -> str:
    title, record, note = map(_html, head)
    rows = "".join(
        f"<tr><td>{_html(start)}</td><td>{_html(speaker)}</td><td><bdi>{_html(words)}</bdi></td></tr>\n"
        for start, speaker, words in said
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><title>{title}</title><style>{STYLE}</style></head>\n'
        f"<body><h1>{title}</h1>\n<p>{record}</p>\n<p>{note}</p>\n<table>\n"
        f"<tr><th>Seconds</th><th>Speaker</th><th>Text</th></tr>\n{rows}</table></body></html>\n"
    )


def _html(text: str) -> str:
    return escape(text).replace("&#x27;", "&#39;")


def _on_one_line(text: str) -> str:
    return text.replace("\n", " ")


__all__ = ["read_json", "transcript", "value_text", "visible"]
