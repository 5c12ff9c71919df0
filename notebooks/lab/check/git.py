"""Asks git which lines have changed since a commit."""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lab.system.exit_codes import UsageError

HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
# without the settings of a user that change the form of a diff
DIFF = ("diff", "-U0", "-M", "--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/")
ESCAPED = re.compile(rb"\\([0-7]{3}|.)")
LETTERS = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r"}
NO_FILE = b"/dev/null"


@dataclass(slots=True)
class Change:
    """The changed lines of a file.

    `old` is the file's path in the commit, relative to the repository; it is None for a new file.
    """

    old: str | None
    hunks: list["Hunk"] = field(default_factory=list)

    def touches(self, first: int, last: int) -> bool:
        """Tell whether any line from `first` to `last` has changed.

        These are line numbers of the file as it is now. Lines next to removed lines count as changed. In a new file,
        every line has changed.
        """
        return self.old is None or any(hunk.first <= last and first <= hunk.last for hunk in self.hunks)

    def new_line(self, old: int) -> int:
        """Return the line number that line `old` of the commit has now.

        For a removed line, the result is the number of the line that is now in its place.
        """
        moved = 0
        for hunk in self.hunks:
            # lines are inserted after the old line that a hunk without removed lines names
            if old < hunk.old_first + (hunk.removed == 0):
                break
            if old < hunk.old_first + hunk.removed:
                return max(1, hunk.new_first + min(old - hunk.old_first, max(hunk.added - 1, 0)))
            moved += hunk.added - hunk.removed
        return max(1, old + moved)


@dataclass(frozen=True, slots=True)
class Hunk:
    """Consecutive lines of a file that a change has replaced.

    `removed` says how many old lines the hunk has, and `added` how many new lines. Either can be 0. The numbers of the
    first lines are `old_first` and `new_first`.
    """

    old_first: int
    removed: int
    new_first: int
    added: int

    @property
    def first(self) -> int:
        """The number of the first changed line.

        If lines were only removed, it is the number of the line before them.
        """
        return self.new_first

    @property
    def last(self) -> int:
        """The number of the last changed line.

        If lines were only removed, it is the number of the line after them.
        """
        return self.new_first + self.added - 1 if self.added else self.new_first + 1


class Repository:
    """The git repository around a folder, compared with a commit.

    Raises `UsageError` if there is no git, no repository or no such commit.
    """

    def __init__(self, folder: Path, ref: str) -> None:
        self._folder = folder
        self._option = f"--since {ref}"
        self.root = Path(os.fsdecode(self._git("rev-parse", "--show-toplevel", what="no git repository").rstrip(b"\n")))
        self._folder = self.root
        commit = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        self._commit = self._git(*commit, what="there is no such commit").decode().strip()

    def changes(self) -> dict[str, Change]:
        """Return how each file of the working tree differs from the commit.

        The result maps the path of a changed file, relative to the repository's root, to its changes. An untracked file
        counts as a new file.
        """
        changes = dict(_changes(self._git(*DIFF, self._commit, "--", what="git diff failed")))
        for name in self._git("ls-files", "--others", "--exclude-standard", "-z", what="git failed").split(b"\0"):
            if name:
                changes[os.fsdecode(name)] = Change(old=None)
        return changes

    def old_text(self, path: str) -> bytes:
        """Return the content of a file in the commit."""
        return self._git("cat-file", "blob", f"{self._commit}:{path}", what=f"git cannot read {path}")

    def _git(self, *arguments: str, what: str) -> bytes:
        command = ["git", "-C", str(self._folder), "-c", "core.quotePath=false", *arguments]
        try:
            # the command is fixed, and the reference is never an option
            done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
        except FileNotFoundError:
            raise UsageError(f"{self._option}: git is not installed") from None
        except (OSError, ValueError) as error:
            raise UsageError(f"{self._option}: {error}") from None
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise UsageError(f"{self._option}: {what}{f' ({said[-1]})' if said else ''}")
        return done.stdout


def _changes(diff: bytes) -> Iterator[tuple[str, Change]]:
    """Yield the path and the changes of each file in a diff.

    Deleted files and files without hunks are left out.
    """
    # only line feeds end a line of a diff
    lines = iter(diff.split(b"\n"))
    old, new, change = b"", b"", None
    for line in lines:
        if line.startswith(b"--- "):
            old = _path(line[4:])
        elif line.startswith(b"+++ "):
            new, change = _path(line[4:]), None
        elif (hunk := HUNK.match(line)) and new != NO_FILE:
            if change is None:
                change = Change(None if old == NO_FILE else os.fsdecode(old))
                yield os.fsdecode(new), change
            found = Hunk(int(hunk[1]), int(hunk[2] or 1), int(hunk[3]), int(hunk[4] or 1))
            change.hunks.append(found)
            _skip(lines, found.removed + found.added)
        elif hunk:
            _skip(lines, int(hunk[2] or 1))


def _skip(lines: Iterator[bytes], count: int) -> None:
    while count and (line := next(lines, None)) is not None:
        # "\ No newline at end of file" is no line of the file
        count -= not line.startswith(b"\\")


def _path(written: bytes) -> bytes:
    """Return a path from a diff without quotes and `a/` or `b/`."""
    if written.startswith(b'"'):
        # up to the last quote; a tab may follow
        inside = written[1 : written.rindex(b'"')]
        written = ESCAPED.sub(_unescape, inside)
    else:
        written = written.removesuffix(b"\t")
    return written if written == NO_FILE else written[2:]


def _unescape(match: re.Match[bytes]) -> bytes:
    code = match[1]
    return bytes([int(code, 8)]) if len(code) == 3 else LETTERS.get(code, code)
