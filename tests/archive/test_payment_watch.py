"""What is found is stored with the texts, in one transaction, and what views show is masked."""

from __future__ import annotations
