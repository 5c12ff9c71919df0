"""Reads the files of a check into a `Project`."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab.check.base import base_of
from lab.check.files import SourceFile, Unreadable, find_files, may_concern, read_file
from lab.check.parse import javascript, python
from lab.check.parse.unparsable import Unparsable
from lab.check.project import Project
from lab.check.scopes import Module, build


@dataclass(eq=False)
class Loader:
    """Parses files. Those that have nothing to do with sockets are parsed only when an import leads to them."""

    base: Path
    # where each file is, by the path that is reported
    files: dict[str, Path] = field(default_factory=dict)
    unreadable: list[tuple[str, str]] = field(default_factory=list)

    def project(self, paths: Sequence[Path]) -> Project:
        """Return the project of some files and folders.

        Raises `UsageError` for a path that cannot be read.
        """
        waiting: list[SourceFile] = []
        for path in paths:
            for found in find_files(path):
                name = self.reported(found.path)
                if isinstance(found, Unreadable):
                    self.unreadable.append((name, found.reason))
                elif name not in self.files:
                    self.files[name] = found.path
                    if may_concern(found.text):
                        waiting.append(found)
        project = Project(frozenset(self.files), self.load)
        for file in waiting:
            module = self.parse(file)
            if module is not None:
                project.add(module)
        return project

    def reported(self, path: Path) -> str:
        """Return a path as it is reported: relative to the base, with `/`."""
        try:
            return path.relative_to(self.base).as_posix()
        except ValueError:
            return path.as_posix()

    def load(self, name: str) -> Module | None:
        """Read and parse the file of a reported path, or return None if it cannot be read."""
        found = read_file(self.files[name])
        if isinstance(found, Unreadable):
            self.unreadable.append((name, found.reason))
            return None
        return self.parse(found)

    def parse(self, file: SourceFile) -> Module | None:
        """Parse a file that was read, or return None if its syntax is broken."""
        name = self.reported(file.path)
        try:
            source = python.parse(file.text) if file.dialect == "py" else javascript.parse(file.text, file.dialect)
        except Unparsable as error:
            self.unreadable.append((name, str(error)))
            return None
        if source.broken:
            self.unreadable.append((name, "it has a syntax error, so a part of it was not checked"))
        return build(name, source)


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Stop the garbage collector during the block: trees are kept, and it would look at all of them again and again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def load(paths: Sequence[Path]) -> tuple[Project, Loader]:
    """Return the project of some files and folders, and the loader that reads further files of it."""
    loader = Loader(base_of(paths))
    return loader.project(paths), loader
