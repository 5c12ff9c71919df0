"""Limits the findings to lines that changed since a git revision.

A finding is a place in the code that `lab check` reports. The module also reports calls that joined a room at that
revision, and are missing now.
"""

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.check.facts import Facts
from lab.check.git import Repository
from lab.check.joins import Join, joins_of, lost
from lab.check.model import Finding


class Since:
    """The changes of checked files since a commit.

    Raises `UsageError` if git does not find the commit or cannot run.
    """

    def __init__(self, base: Path, ref: str) -> None:
        self._base = base.resolve()
        self._repository = Repository(self._base, ref)
        self._changes = self._repository.changes()

    def split(self, found: Sequence[Finding]) -> tuple[list[Finding], list[Finding]]:
        """Return the findings in changed lines, and the findings in other lines."""
        changed: list[Finding] = []
        unchanged: list[Finding] = []
        for finding in found:
            change = self._changes.get(self._path(finding.path))
            is_changed = change is not None and change.touches(finding.line, finding.end_line)
            (changed if is_changed else unchanged).append(finding)
        return changed, unchanged

    def lost_joins(self, facts: Facts) -> list[Join]:
        """Return the join calls that the changes deleted.

        A join call puts a socket into a room. The line of each result is the line of the new file where the call is
        missing.
        """
        changed = {path: change for path in facts.sources if (change := self._changes.get(self._path(path)))}
        # a new file may have gained what another has lost
        new = joins_of(facts, {path: path for path in changed})
        old = self._old_joins(type(facts), {path: change.old for path, change in changed.items() if change.old})
        return [
            Join(join.path, join.function, changed[join.path].new_line(join.line), join.text, join.shape)
            for join in lost(old, new)
        ]

    def _old_joins(self, analysis: type[Facts], olds: Mapping[str, str]) -> list[Join]:
        # flat names, so that no folder of a path is skipped or outside
        names = {f"old{number}{Path(path).suffix or '.js'}": path for number, path in enumerate(olds)}
        with tempfile.TemporaryDirectory(prefix="lab-check-") as folder:
            for name, path in names.items():
                Path(folder, name).write_bytes(self._repository.old_text(olds[path]))
            before = analysis.of([Path(folder)])
            return joins_of(before, {name: names[name] for name in before.sources})

    def _path(self, reported: str) -> str:
        """Return a file's path relative to the repository, with `/` as separator."""
        return Path(os.path.relpath(self._base / reported, self._repository.root)).as_posix()
