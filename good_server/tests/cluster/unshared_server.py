"""A test server whose processes do not know each other's message ids."""

from dataclasses import replace

from ...__main__ import run
from ...app import assemble, create_parts
from ...gateway import Gateway
from ...idempotency import IdempotencyCache
from ...settings import load_settings
from ..stand_in import create_routes


def create(settings):
    parts = replace(create_parts(settings), recent=IdempotencyCache())
    return assemble(parts, [Gateway("/", parts.guards, create_routes(parts))])


def main():
    return run("unshared", load_settings(), create)
