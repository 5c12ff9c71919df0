"""Writes the results of a comparison into README.md.

A comparison has the measured results of the bad and the good server. In README.md, the results are between two HTML
comments, the marks.
"""

import datetime
import re
from pathlib import Path

from lab.compare.comparison import Comparison
from lab.report.terminal import environment_line
from lab.results.claims import SIDES
from lab.results.verdict import reported_value
from lab.results.wording import OUTCOMES, number
from lab.system.atomic_file import write

BLOCK = re.compile(r"(<!-- lab compare: begin\b.*?-->\n).*?(<!-- lab compare: end -->)", re.DOTALL)


class ReadmeError(Exception):
    """There is no README.md with the two marks for the results.

    The marks are the HTML comments around the results of `lab compare`. The message is one line.
    """


def find_readme() -> Path:
    """Return the path of the README.md that has the two marks.

    The marks are the HTML comments around the results of a comparison. The README.md is in the repository that the lab
    is installed from, or else in the working directory. Raises `ReadmeError` if neither has a README.md with the marks.
    """
    for folder in (Path(__file__).resolve().parents[3], Path.cwd()):
        readme = folder / "README.md"
        if readme.is_file() and BLOCK.search(readme.read_text(encoding="utf-8")):
            return readme
    raise ReadmeError("no README.md with the marks `<!-- lab compare: begin … -->` and `<!-- lab compare: end -->`")


def write_rows(readme: Path, comparison: Comparison) -> None:
    """Replace the results in a README by those of a comparison.

    A comparison has the measured results of the bad and the good server. In the README, the results are between two
    HTML comments, the marks. Raises `ReadmeError` if the marks are missing.
    """
    write(readme, with_rows(readme, comparison))


def with_rows(readme: Path, comparison: Comparison) -> bytes:
    """Return the content of a README with the results of a comparison.

    A comparison has the measured results of the bad and the good server. They replace the text between two HTML
    comments, the marks. Raises `ReadmeError` if the marks are missing.
    """
    rows = as_markdown(comparison)
    text = readme.read_text(encoding="utf-8")
    if not BLOCK.search(text):
        raise ReadmeError("the marks for the results are gone")
    return BLOCK.sub(lambda marks: f"{marks[1]}{rows}\n{marks[2]}", text, count=1).encode()


def as_markdown(comparison: Comparison) -> str:
    """Return a comparison as a Markdown table, one row per claim.

    A claim is a statement about the bad and the good server. The line below the table says where and when the claims
    were measured.
    """
    lines = ["| | claim | measured | bad | good | |", "|---|---|---|---:|---:|---|"]
    for result in comparison.results:
        claim = result.claim
        bad, good = (number(reported_value(claim, result.runs[side])) for side in SIDES)
        measured = f"{claim.metric} ({claim.unit})"
        outcome = OUTCOMES[result.verdict.outcome]
        lines.append(f"| {claim.id} | {claim.title} | {measured} | {bad} | {good} | {outcome} |")
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    where = environment_line(comparison.environment)
    return "\n".join([*lines, "", f"<sub>Measured {today} in {comparison.seconds:.0f} s: {where}.</sub>"])
