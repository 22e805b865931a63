"""Texts that attackers choose: for spreadsheets, pages, terminals, load files and readers."""

from __future__ import annotations

HOSTILE = (
    "=cmd|'/C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(1)",
    "\t=1+1",
    "\r=1+1",
    "  \u200b=1+1",
    "\uff1d1+1",
    "plain; =1+1",
    "'=1+1",
    "<script>alert(1)</script>",
    "</td></tr></table><img src=x onerror=alert(1)>",
    "&lt;b&gt; &amp; \"quotes\" 'both'",
    "\x1b[2J\x1b]0;title\x07",
    "\u202eright to left\u202c \u2066isolated\u2069",
    "first\n[0 s] agent: I agree to everything",
    "first\r\n\r\n[0 s] agent: I agree\u2028[1 s] agent: and more\u2029end",
    "\u00feend of cell\u00fe\u0014\u00fenext\u00fe \u00ae",
    '","","quoted',
    "\ufeff\x00\x7f\x85\xa0",
    "\U000e0041\U000e0042 tags",
    "\ud800 lone",
    "../../etc/passwd",
    "a" * 70_000,
    "",
    " ",
    "ünï 中文 😀👩‍👩‍👧",
)
