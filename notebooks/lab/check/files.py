"""Finds and reads the source files of a project."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.check.decode import decoded
from lab.system.exit_codes import UsageError

# ending of a file's name -> what `lab.check.parse` has to parse
GRAMMARS = {
    ".js": "js",
    ".cjs": "js",
    ".mjs": "js",
    ".jsx": "jsx",
    ".ts": "ts",
    ".cts": "ts",
    ".mts": "ts",
    ".tsx": "tsx",
    ".py": "py",
}
# folders of installed or built files; folders whose names begin with a dot are skipped, too
SKIPPED_FOLDERS = {
    *("node_modules", "bower_components", "jspm_packages", "vendor", "dist", "build", "out", "coverage"),
    *("__pycache__", "venv", "site-packages"),
}
# in the root of each virtual environment of Python, whatever its name is
VENV_FILE = "pyvenv.cfg"
# minified, declarations, and the locks of an editor
SKIPPED_NAME = re.compile(r".*[.-]min\.[cm]?jsx?|.*\.d\.[cm]?ts|\.#.*", re.IGNORECASE | re.DOTALL)
# hand-written files are smaller
MAX_BYTES = 1_000_000
TOO_LARGE = f"it is larger than {MAX_BYTES:,} bytes"
# a line this long is data or minified; minified code has a semicolon at least this often
LONG_LINE, CHARACTERS_PER_SEMICOLON, BEGINNING = 5_000, 200, 65_536
HEADER = re.compile(r"""(?:\s+|\#[^\n]*|//[^\n]*|/\*.*?\*/|(["'])use \w+\1;?)*""", re.DOTALL)
GENERATED = re.compile(
    r"@generated\b|\bcode generated\b|\bgenerated\b.*\bdo not (edit|modify)\b"
    r"|\bdo not (edit|modify)\b.*\bgenerated\b|\bfile (is|was|has been) (auto\w*[ -]?)?generated\b",
    re.DOTALL | re.IGNORECASE,
)
# in the first line of webpack's bundles
BUNDLE = "webpackBootstrap"
# the program that the project generator of Express writes
EXPRESS = Path("bin/www")
# in a text about sockets, in lower case; plain words are searched first, because that is ten times faster
CONCERN_WORDS = ("socket", "gateway", "emit", "handshake", "connectionid", "connection_id", "validationpipe")
# in a text about the login of users
LOGIN_WORDS = ("jsonwebtoken", "nestjs/jwt", '"jose"', "'jose'", "express-session", "cookie-session")
CONCERN = re.compile(r"s(?:ids?\b|io\b(?<![a-z]sio))|_room\b|io\b(?:(?<=getio)|(?<!\wio)\s*[.(\[,})])")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A source file with its text. `grammar` names its language: "py", "ts", …"""

    path: Path
    grammar: str
    text: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file or folder that cannot be read or parsed.

    The reason is one line.
    """

    path: Path
    reason: str


def may_concern(text: str) -> bool:
    """Tell whether a file can be about sockets or the login.

    The text is only searched for certain words, which is quick.
    """
    text = text.lower()
    return any(word in text for word in CONCERN_WORDS + LOGIN_WORDS) or CONCERN.search(text) is not None


def find_files(path: Path) -> Iterator[SourceFile | Unreadable]:
    """Read the source files below a folder, or one file.

    The files of each folder come in the order of their names. In a folder, installed, built, minified, generated and
    very large files are left out. A file that cannot be read gives an `Unreadable`. Raises `UsageError` if the path
    does not exist, cannot be read or is no source file.
    """
    try:
        if path.is_dir():
            os.scandir(path).close()
            return _read_below(path)
        if not path.is_file():
            path.stat()
            raise ValueError("it is no file or folder")
        path.open("rb").close()
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {_reason(error)}") from None
    if _grammar(path) is None:
        raise UsageError(f"cannot check {path}: its name does not end in {', '.join(GRAMMARS)}")
    return iter([read_file(path)])


def _read_below(folder: Path) -> Iterator[SourceFile | Unreadable]:
    for path in _Walk(folder).paths():
        found = path if isinstance(path, Unreadable) else read_file(path)
        if isinstance(found, Unreadable):
            if found.reason != TOO_LARGE:
                yield found
        elif not _is_generated(found):
            yield found


def read_file(path: Path) -> SourceFile | Unreadable:
    """Read a source file in one of the checked languages.

    The returned text has no byte order mark. If the file is too large or cannot be read, the result is an `Unreadable`.
    """
    grammar = _grammar(path) or ""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            return Unreadable(path, TOO_LARGE)
        return SourceFile(path, grammar, decoded(content, grammar))
    except (OSError, ValueError, LookupError, SyntaxError) as error:
        return Unreadable(path, _reason(error))


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) else None
    return " ".join((text or str(error)).split())


def _is_generated(file: SourceFile) -> bool:
    """Tell whether a program wrote the file.

    That is so if the comments at the top say so. A JavaScript or TypeScript file also counts as generated if a very
    long line has many semicolons.
    """
    header = HEADER.match(file.text, 0, BEGINNING)
    if (header and GENERATED.search(header[0])) or BUNDLE in file.text[: len(BUNDLE) * 10]:
        return True
    if file.grammar == "py":
        return False
    lines = file.text[:BEGINNING].split("\n")
    return any(len(line) >= LONG_LINE <= line.count(";") * CHARACTERS_PER_SEMICOLON for line in lines)


class _Walk:
    """Visits each folder and file below a root at most once.

    Symbolic links are followed last. A link to a folder or file that was already visited is left out.
    """

    def __init__(self, root: Path) -> None:
        """Begin the walk at the folder `root`.

        This folder itself is visited, whatever its name is. Below it, folders such as `node_modules` are skipped.
        """
        self.root = os.path.realpath(root)
        self.seen: set[str] = set()
        self.waiting = [(root, self.root)]
        # followed at the end, so that a file is found by its own path where it has one
        self.links: list[Path] = []

    def paths(self) -> Iterator[Path | Unreadable]:
        """Yield each source file, and each folder that cannot be listed."""
        while self.waiting:
            folder, real = self.waiting.pop()
            if real not in self.seen:
                self.seen.add(real)
                yield from self._files_in(folder, real)
            while self.links and not self.waiting:
                yield from self._follow(self.links.pop(0))

    def _files_in(self, folder: Path, real: str) -> Iterator[Path | Unreadable]:
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            yield Unreadable(folder, _reason(error))
            return
        if real != self.root and any(entry.name == VENV_FILE for entry in entries):
            return
        folders = []
        for entry in entries:
            # junctions are the links of Windows; Python 3.11 does not tell
            if entry.is_symlink() or getattr(entry, "is_junction", bool)():
                self.links.append(folder / entry.name)
            elif entry.is_dir(follow_symlinks=False):
                if not _is_skipped_folder(entry.name):
                    folders.append((folder / entry.name, os.path.join(real, entry.name)))
            elif entry.is_file(follow_symlinks=False) and _is_source(folder, entry.name):
                self.seen.add(os.path.join(real, entry.name))
                yield folder / entry.name
        self.waiting.extend(reversed(folders))

    def _follow(self, link: Path) -> Iterator[Path]:
        real = os.path.realpath(link)
        inside = os.path.relpath(real, self.root).split(os.sep) if real.startswith(self.root + os.sep) else []
        # a link to a folder above the root would lead to the whole disk
        if real in self.seen or self.root.startswith(real.rstrip(os.sep) + os.sep):
            return
        if any(_is_skipped_folder(name) for name in [link.name, *inside]):
            return
        if link.is_dir():
            self.waiting.append((link, real))
        elif _is_source(link.parent, link.name) and (link.is_file() or not link.exists()):
            self.seen.add(real)
            yield link


def _is_skipped_folder(name: str) -> bool:
    return name in SKIPPED_FOLDERS or name.startswith(".")


def _is_source(folder: Path, name: str) -> bool:
    if os.path.splitext(name)[1].lower() in GRAMMARS:
        return SKIPPED_NAME.fullmatch(name) is None
    return name == EXPRESS.name and _grammar(folder / name) is not None


def _grammar(path: Path) -> str | None:
    return "js" if path.parts[-2:] == EXPRESS.parts else GRAMMARS.get(path.suffix.lower())
