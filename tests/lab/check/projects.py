"""Small projects of several files, written as one text.

`=== path` begins a file. A comment `<- RM021` at the end of a line marks where that rule has to fire.
"""

import re

import pytest
from lab.check.result import Options
from lab.check.run import check

HEADING = re.compile(r"^=== (\S+)\n", re.MULTILINE)
MARK = re.compile(r"\s*(?:#|//) <- (RM\d{3}(?: RM\d{3})*)$")
# questions about the project as a whole, which nearly every small project raises
ASKED = "RM061,RM082,RM085,RM101,RM103,RM104"


def files_of(text, name="server.js"):
    """Return the text of each file by its path.

    `name` is the path of a text without headings.
    """
    parts = HEADING.split(text)
    return dict(zip(parts[1::2], parts[2::2], strict=True)) if len(parts) > 1 else {name: text}


def marks(files):
    """Return path, line and rule of each mark."""
    return {
        (path, number, rule)
        for path, text in files.items()
        for number, line in enumerate(text.splitlines(), 1)
        if (found := MARK.search(line))
        for rule in found[1].split()
    }


def write_files(folder, files):
    """Write files below a folder, without their marks."""
    for path, text in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("".join(MARK.sub("", line) + "\n" for line in text.splitlines()), "utf-8")


def found_in(folder, *, select=None, ignore=None):
    """Return path, line and rule of each finding.

    All files are readable, and no rule fails.
    """
    result = check([folder], Options(select=select, ignore=ignore))
    assert (list(result.failures), list(result.unreadable)) == ([], [])
    return {(finding.path, finding.line, finding.rule) for finding in result.findings}


def only_finding(folder, text, select, name="server.js"):
    """Check a project with one rule, and return the only finding."""
    write_files(folder, files_of(text, name))
    [finding] = check([folder], Options(select=select)).findings
    return finding


def differences(folder, text, *, name="server.js", select=None):
    """Check a project, and return what differs from its marks.

    Without `select`, all rules are asked but those in `ASKED`.
    """
    files = files_of(text, name)
    write_files(folder, files)
    found, expected = found_in(folder, select=select, ignore=None if select else ASKED), marks(files)
    return [
        *(f"missing {path}:{line} {rule}" for path, line, rule in sorted(expected - found)),
        *(f"unexpected {path}:{line} {rule}" for path, line, rule in sorted(found - expected)),
    ]


def xfailing(names, faults):
    """Return parameters of which those in `faults` are expected to fail."""
    assert faults.keys() <= set(names)
    marked = {name: [pytest.mark.xfail(strict=True, reason=reason)] for name, reason in faults.items()}
    return [pytest.param(name, marks=marked.get(name, []), id=name) for name in names]
