"""What is not of this project and may not be installed here."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(package: str) -> NoReturn:
    """Skip where a Debian package is not installed; where CI says that it is CI, fail."""
    reason = f"{package} is not installed (Debian: apt-get install {package})"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
