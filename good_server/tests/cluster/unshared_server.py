"""A good server whose processes do not share message ids. Tests must detect it."""

from dataclasses import replace

from ...__main__ import run
from ...app import assemble, create_parts, create_routes
from ...gateway import Gateway
from ...idempotency import IdempotencyCache
from ...settings import load_settings


def create(settings):
    parts = replace(create_parts(settings), recent=IdempotencyCache())
    return assemble(parts, [Gateway("/", parts.guards, create_routes(parts))])


def main():
    return run("unshared", load_settings(), create)
