"""Reads and writes a baseline: a file of findings already known.

With a baseline, only new findings are reported. A known finding is recognised by its rule, file, enclosing function and
the text of its line. Its line number is not used, so the finding stays known when other lines change.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from lab.check.model import Finding
from lab.system import atomic_file
from lab.system.exit_codes import UsageError

SCHEMA = 1
# rule, path, function, text
Key = tuple[str, str, str, str]


def key_of(finding: Finding, base: Path, folder: Path) -> Key:
    """Return the key by which a known finding is recognised later.

    The key has the finding's rule, path, enclosing function and line text. `folder` has the file of known findings. If
    the checked file is below `folder`, the path in the key is relative to `folder`, so the key does not depend on which
    folder is checked. Otherwise the path is `finding.path`, which is relative to `base`.
    """
    try:
        path = (base / finding.path).resolve().relative_to(folder.resolve()).as_posix()
    except (ValueError, OSError, RuntimeError):
        path = finding.path
    return finding.rule, path, finding.function, finding.text


def read(file: Path) -> Counter[Key]:
    """Read a baseline, a file of findings that are already known.

    A key is a finding's rule, path, enclosing function and line text. Returns how many findings with each key the file
    has. Raises `UsageError` if the file cannot be read or is no baseline.
    """
    try:
        document = json.loads(file.read_bytes())
    except OSError as error:
        raise UsageError(f"--baseline: cannot read {file}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise UsageError(f"--baseline: {file} is not JSON; write it with --write-baseline") from None
    try:
        if document["schema"] != SCHEMA:
            raise ValueError
        known: Counter[Key] = Counter()
        for row in document["findings"]:
            known[_text(row["rule"]), _text(row["path"]), _text(row["function"]), _text(row["text"])] += _count(row)
    except (KeyError, TypeError, ValueError):
        raise UsageError(f"--baseline: {file} is no baseline of lab check; write it with --write-baseline") from None
    return known


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _count(row: dict[str, object]) -> int:
    count = row["count"]
    if not isinstance(count, int) or count < 1:
        raise ValueError
    return count


def split(
    found: Sequence[Finding], known: Counter[Key], base: Path, folder: Path
) -> tuple[list[Finding], list[Finding]]:
    """Return the new findings and the known findings, as two lists.

    A key is a finding's rule, path, enclosing function and line text. `known` says how many findings with each key are
    known; further findings with this key are new. The paths in `found` are relative to `base`. `folder` has the file of
    known findings.
    """
    left = known.copy()
    new: list[Finding] = []
    old: list[Finding] = []
    for finding in found:
        key = key_of(finding, base, folder)
        is_known = left[key] > 0
        left[key] -= is_known
        (old if is_known else new).append(finding)
    return new, old


def write(file: Path, found: Sequence[Finding], base: Path) -> None:
    """Write findings to a baseline, the file of known findings.

    A check with this baseline does not report these findings again. The paths of the findings are relative to `base`.
    Raises `UsageError` if the file cannot be written.
    """
    counts = Counter(key_of(finding, base, file.parent) for finding in found)
    rows = [
        {"rule": rule, "path": path, "function": function, "text": text, "count": count}
        for (rule, path, function, text), count in sorted(counts.items())
    ]
    try:
        atomic_file.write(file, json.dumps({"schema": SCHEMA, "findings": rows}, indent=1).encode() + b"\n")
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"--write-baseline: cannot write {file}: {reason}") from None
