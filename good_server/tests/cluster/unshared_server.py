"""The good server, but for what its processes remember of message ids: each its own alone. Tests must find it out."""

import sys
from dataclasses import replace

from good_server.__main__ import run
from good_server.app import assemble, create_parts, create_routes
from good_server.gateway import Gateway
from good_server.services.recent import RecentAcks
from good_server.settings import load_settings


def create(settings):
    parts = replace(create_parts(settings), recent=RecentAcks())
    return assemble(parts, [Gateway("/", parts.guards, create_routes(parts))])


if __name__ == "__main__":
    sys.exit(run("unshared", load_settings(), create))
