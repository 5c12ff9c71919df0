"""Writes the parts of README.md that come from the checker.

The parts are an example with its real output, and the table of the rules. Each part is between two HTML comments,
called marks.
"""

import re
import subprocess
import sys
from pathlib import Path

from lab.check.explain import markdown_table
from lab.check.own_rules import every_rule
from lab.report.readme_table import ReadmeError, find_readme
from lab.system.atomic_file import write

# a small server with a mistake, relative to the README's folder
EXAMPLE = "tests/lab/check/data/plain/02_emit_by_socket_id.js"
MARKS = r"(<!-- lab check {part}: begin\b[^>]*-->\n).*?(<!-- lab check {part}: end -->)"
EXAMPLE_BLOCK = re.compile(MARKS.format(part="example"), re.DOTALL)
RULES_BLOCK = re.compile(MARKS.format(part="rules"), re.DOTALL)
# how long it took differs from run to run
SECONDS = re.compile(r"(?<= checked in )[\d.]+(?= s:)")


def renew() -> Path:
    """Update the checker's example and table of rules in README.md.

    Returns the path of README.md. Raises `ReadmeError` if README.md is missing, if it lacks the HTML comments around
    these two parts, or if the example cannot be checked.
    """
    readme = find_readme()
    text = readme.read_text(encoding="utf-8")
    if not (EXAMPLE_BLOCK.search(text) and RULES_BLOCK.search(text)):
        raise ReadmeError(f"{readme} has no marks `<!-- lab check example: begin … -->` and `… rules: begin … -->`")
    write(readme, with_rules(with_example(text, readme.parent)).encode())
    return readme


def with_example(text: str, root: Path) -> str:
    """Return a README's text with the output of the example renewed.

    The example is the command `lab check` for a small server with a mistake. The command runs in `root`, the README's
    folder. Its output quotes measured costs, so a new measurement changes the output. The text is returned unchanged if
    it lacks the HTML comments that mark the example, or if only the seconds in the output differ.
    """
    if not EXAMPLE_BLOCK.search(text):
        return text
    block = f"```console\n$ lab check {EXAMPLE}\n{output_of_example(root)}```\n"
    renewed = EXAMPLE_BLOCK.sub(lambda marks: f"{marks[1]}{block}{marks[2]}", text, count=1)
    return text if SECONDS.sub("", renewed) == SECONDS.sub("", text) else renewed


def with_rules(text: str) -> str:
    """Return a README's text with the table of rules renewed.

    The text is returned unchanged if it lacks the HTML comments that mark the table.
    """
    # Markdown in an HTML element needs an empty line around it
    return RULES_BLOCK.sub(lambda marks: f"{marks[1]}\n{markdown_table(every_rule())}\n{marks[2]}", text, count=1)


def output_of_example(root: Path) -> str:
    """Return what `lab check` prints for the example file `EXAMPLE`.

    The file is a small server with a mistake. Its path is relative to `root`, the README's folder. Raises `ReadmeError`
    if the file cannot be checked.
    """
    command = [sys.executable, "-m", "lab", "check", EXAMPLE]
    # a new process prints what a user sees, and reads the costs again
    done = subprocess.run(command, cwd=root, capture_output=True, encoding="utf-8", check=False)  # noqa: S603
    if done.stderr or not done.stdout:
        raise ReadmeError(f"lab check {EXAMPLE} failed: {(done.stderr or 'it printed nothing').strip()}")
    return done.stdout
