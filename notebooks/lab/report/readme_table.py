"""Writes the results of a comparison of two servers into README.md.

In README.md, the results are between two HTML comments.
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
    """There is no README.md with the HTML comments for the results.

    `lab compare` writes its results between these two comments. The message is one line.
    """


def find_readme() -> Path:
    """Return the path of the README.md that has the measured results.

    The results are between two HTML comments. The README.md is in the repository that the lab is installed from, or
    else in the working directory. Raises `ReadmeError` if neither has a README.md with these comments.
    """
    for folder in (Path(__file__).resolve().parents[3], Path.cwd()):
        readme = folder / "README.md"
        if readme.is_file() and BLOCK.search(readme.read_text(encoding="utf-8")):
            return readme
    raise ReadmeError("no README.md with the marks `<!-- lab compare: begin … -->` and `<!-- lab compare: end -->`")


def write_rows(readme: Path, comparison: Comparison) -> None:
    """Replace the results in a README by those of a comparison.

    In the README, the results of the two servers are between two HTML comments. Raises `ReadmeError` if these comments
    are missing.
    """
    write(readme, with_rows(readme, comparison))


def with_rows(readme: Path, comparison: Comparison) -> bytes:
    """Return the content of a README with the results of a comparison.

    The results of the two servers replace the text between two HTML comments. Raises `ReadmeError` if these comments
    are missing.
    """
    rows = as_markdown(comparison)
    text = readme.read_text(encoding="utf-8")
    if not BLOCK.search(text):
        raise ReadmeError("the marks for the results are gone")
    return BLOCK.sub(lambda marks: f"{marks[1]}{rows}\n{marks[2]}", text, count=1).encode()


def as_markdown(comparison: Comparison) -> str:
    """Return a comparison of two servers as a Markdown table.

    The table has one row per claim about the servers. The line below the table says where and when the claims were
    measured.
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
