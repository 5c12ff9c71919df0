"""Finds the files of a project that run in a page.

An app for phones counts as a page, too. Such files use the client library of Socket.IO, so no rule is about them.
"""

import json
from functools import cache
from pathlib import Path, PurePosixPath

from lab.check.dialects import sources_of
from lab.check.facts import Facts

CLIENT = "socket.io-client"
SERVERS = frozenset({"socket.io", "@nestjs/websockets", "@nestjs/platform-socket.io"})


class Pages:
    """Tells which files below the folder `base` belong to a page.

    The `package.json` files of the project decide.
    """

    def __init__(self, facts: Facts, base: Path) -> None:
        self._facts, self._base = facts, base
        self._dependencies = cache(self._read)

    def has(self, path: str) -> bool:
        """Tell whether the file with this path belongs to a page.

        That is so if the `package.json` files in the folders above the file list Socket.IO's client, and no server. A
        file that itself imports a Socket.IO server belongs to no page, and neither does a Python file.
        """
        named = frozenset().union(*(self._dependencies(folder) for folder in PurePosixPath(path).parents))
        if CLIENT not in named or named & SERVERS:
            return False
        module = self._facts.project.modules[path]
        return module.source.language != "py" and not sources_of(module) & SERVERS

    def _read(self, folder: PurePosixPath) -> frozenset[str]:
        """Return the names of the packages that a folder's `package.json` lists. A file that is no JSON lists none."""
        try:
            package = json.loads((self._base / folder / "package.json").read_bytes())
        except (OSError, ValueError, RecursionError):
            return frozenset()
        groups = package.values() if isinstance(package, dict) else ()
        return frozenset(name for group in groups if isinstance(group, dict) for name in group)
