"""Imports httpx without its command line, which brings rich, pygments and click, and which no command of ours uses.

httpx has a stand-in for its command where that import fails. Where httpx is imported already, nothing is changed.
"""

from __future__ import annotations

import sys

IS_NEW = "httpx" not in sys.modules
if IS_NEW:
    sys.modules["httpx._main"] = None  # type: ignore[assignment]
try:
    import httpx as httpx  # noqa: PLC0414 - for the modules of this room
finally:
    if IS_NEW:
        del sys.modules["httpx._main"]
