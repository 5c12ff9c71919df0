"""The peers of the benchmark tests, Node's among them."""

import os

import pytest
from lab.bench import node, peers

# Node's peer needs packages that npm installs
PEER_PARAMETERS = [peers.GOOD, peers.STOCK, pytest.param(peers.NODE, marks=pytest.mark.slow)]


def require(peer: peers.Peer) -> peers.Peer:
    """Return the peer.

    If Node's packages are missing, the test is skipped; in CI, they are installed.
    """
    if peer is peers.NODE and node.version() is None:
        if not os.environ.get("CI"):
            pytest.skip("node or socket.io is not installed: run lab bench --with-node")
        node.install()
    return peer
