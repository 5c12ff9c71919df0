"""Finds, reads and parses the source files of a project."""

import gc
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab.check.base import base_of
from lab.check.files import SourceFile, Unreadable, find_files, may_concern, read_file
from lab.check.parse import javascript, python
from lab.check.parse.unparsable import Unparsable
from lab.check.project import Project
from lab.check.scopes import Module, build

# how many files are parsed, and how many there are (0 if that is not known yet)
Progress = Callable[[int, int], None]
# tests do on purpose what a product must not; they are read only if an import leads to them
TESTS = re.compile(r"(^|/)(tests?|__tests__|__mocks__|spec|e2e)/|\.(test|spec)\.\w+$|(^|/)(test_[^/]*|conftest)\.py$")
IN_PART = "syntax error; the rest of the file is checked"
FAILED = "the checker failed on this file ({}); please report it"


@dataclass(slots=True)
class Loaded:
    """A project, and a list of its files that were unreadable.

    The list can grow later: an imported file is parsed only when the checker follows the import.
    """

    project: Project
    files: int
    # path and reason
    unreadable: list[tuple[str, str]]


def load(paths: Sequence[Path], progress: Progress) -> Loaded:
    """Load the files whose text mentions sockets.

    Any other file, and any test file that `paths` does not name, is parsed when an import leads to it. During the
    search, `progress` gets the number of found files and 0. Then it gets the number of parsed files and the number of
    files to parse. Raises `UsageError` if a path cannot be read.
    """
    files = _Files(base_of(paths))
    for path in paths:
        for found in find_files(path):
            files.add(found, given=path.is_file())
            progress(len(files.paths), 0)
    concerned = list(files.kept)
    project = Project(frozenset(files.paths), files.parse)
    for number, name in enumerate(concerned):
        progress(number, len(concerned))
        project.module(name)
    return Loaded(project, len(files.paths), files.unreadable)


@dataclass(slots=True)
class _Files:
    """The files that were found, by their path in the checker's report.

    `kept` has the text of files that mention sockets, until these files are parsed. Test files are not in `kept`,
    unless the user named them. Any file that is not in `kept` is read again when it is parsed.
    """

    base: Path
    paths: dict[str, Path] = field(default_factory=dict)
    kept: dict[str, SourceFile] = field(default_factory=dict)
    unreadable: list[tuple[str, str]] = field(default_factory=list)

    def add(self, found: SourceFile | Unreadable, *, given: bool) -> None:
        name = Path(os.path.relpath(found.path, self.base)).as_posix()
        if isinstance(found, Unreadable):
            self.unreadable.append((name, found.reason))
            return
        self.paths[name] = found.path
        if may_concern(found.text) and (given or not TESTS.search(name)):
            self.kept[name] = found

    def parse(self, name: str) -> Module | None:
        file = self.kept.pop(name, None) or read_file(self.paths[name])
        if isinstance(file, Unreadable):
            self.unreadable.append((name, file.reason))
            return None
        try:
            source = python.parse(file.text) if file.grammar == "py" else javascript.parse(file.text, file.grammar)
            module = build(name, source)
        except Unparsable as error:
            self.unreadable.append((name, str(error)))
            return None
        except Exception as error:  # noqa: BLE001 - the other files are still checked
            self.unreadable.append((name, FAILED.format(f"{type(error).__name__}: {error}")))
            return None
        if source.broken:
            self.unreadable.append((name, IN_PART))
        return module


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Stop the garbage collector during the `with` block.

    The checker keeps all syntax trees. The collector would search these trees again and again, and find nothing to
    free.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
