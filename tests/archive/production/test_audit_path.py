"""The paths that prove a record's place in its block."""

from __future__ import annotations

import random
from hashlib import sha256

import pytest

from replicator.archive import chain
from replicator.archive.production import audit_path, verify_file

pytestmark = pytest.mark.pure


@pytest.mark.parametrize("size", [*range(1, 34), 63, 64, 65, 100, 127, 129, 1000])
def test_each_path_leads_to_the_root_at_its_place_only(size: int) -> None:
    """Both implementations agree on the root of every size; a path leads nowhere from another place or another leaf."""
    chance = random.Random(size)
    leaves = [sha256(chance.randbytes(8)).digest() for _ in range(size)]
    tree = audit_path.Tree(leaves)
    assert tree.root == chain.root(leaves)
    for index in range(size) if size < 70 else chance.sample(range(size), 20):
        path = list(tree.path(index))
        assert verify_file.root_of(leaves[index], index, size, path) == tree.root
        other = chance.randrange(size)
        if other != index:
            assert verify_file.root_of(leaves[index], other, size, path) != tree.root
            assert verify_file.root_of(leaves[other], index, size, path) != tree.root
        assert verify_file.root_of(leaves[index], index, size, [*path, bytes(32)]) is None
        assert not path or verify_file.root_of(leaves[index], index, size, path[:-1]) is None
