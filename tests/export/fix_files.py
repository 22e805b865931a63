"""A reader of CSV, written after RFC 4180 and not after our writer: it tells null from the empty string."""

from __future__ import annotations


def read(text: str) -> list[list[str | None]]:
    """Return the rows; a cell without quotes and without characters is null. Anything irregular is an AssertionError."""
    rows: list[list[str | None]] = []
    row: list[str | None] = []
    at = 0
    while at < len(text):
        if text[at] == '"':
            cell, at = "", at + 1
            while text[at : at + 1] != '"' or text[at : at + 2] == '""':
                assert at < len(text), "a quote that does not end"
                cell += text[at]
                at += 2 if text[at] == '"' else 1
            row.append(cell)
            at += 1
        else:
            end = at
            while end < len(text) and text[end] not in ',\r\n"':
                end += 1
            row.append(text[at:end] or None)
            at = end
        if text[at : at + 2] == "\r\n":
            rows.append(row)
            row, at = [], at + 2
        else:
            assert text[at : at + 1] == ",", f"no comma at {at}"
            at += 1
            if text[at : at + 2] == "\r\n":
                rows.append([*row, None])
                row, at = [], at + 2
    assert row == [], "the last line does not end"
    return rows
