"""The options and the result of one run of the checker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lab.check.ir import Source
from lab.check.model import Finding, Rule
from lab.system.exit_codes import EXIT_DONE, EXIT_NOT_DONE

# why a finding is not reported
Hidden = Literal["suppressed", "in the baseline", "in unchanged code"]


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `lab check` on the command line.

    Strings are kept as the user wrote them: they are not split or checked yet.
    """

    select: str | None = None
    ignore: str | None = None
    since: str | None = None
    baseline: Path | None = None
    write_baseline: Path | None = None
    accounts: bool = True


@dataclass(frozen=True, slots=True)
class Result:
    """The findings and other results of one run of the checker."""

    findings: Sequence[Finding]
    # the rules that were asked
    rules: Sequence[Rule]
    files: int
    # path and reason of each file that was not checked
    unreadable: Sequence[tuple[str, str]]
    seconds: float
    # whether there is a Socket.IO server at all
    concerned: bool
    # the folder that paths are relative to
    base: Path
    # path as reported -> the parsed file
    sources: Mapping[str, Source]
    hidden: Sequence[tuple[Hidden, Finding]] = ()
    # one line for each rule that failed
    failures: Sequence[str] = field(default=())

    def exit_code(self, *, strict: bool) -> int:
        """Return the exit code of the command.

        It is 1 if a finding has the level "error", else 0. With `strict`, it is also 1 for a warning, an unreadable
        file or a rule that crashed.
        """
        levels = {finding.level for finding in self.findings}
        if strict and ("warning" in levels or self.unreadable or self.failures):
            return EXIT_NOT_DONE
        return EXIT_NOT_DONE if "error" in levels else EXIT_DONE
