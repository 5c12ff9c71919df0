"""Shows what `lab check` reports for the mistake of a lesson.

`lab check` searches code for the ten mistakes of `bad_server`. Here it checks the module of `bad_server` that has the
mistake, and a Node file with the same mistake.
"""

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import bad_server
from lab.check.model import Rule
from lab.check.report_text import printable
from lab.check.result import Options, Result
from lab.check.rules import all_rules
from lab.check.run import check
from lab.check.summary import mistake_lines
from lab.lessons.cell_output import Markdown, show_output
from lab.lessons.code_excerpt import monospaced
from lab.lessons.lesson import lesson

NODE_FILE = "server.js"
# the comment that says in a snippet which rule fires there
MARK = re.compile(r" *// <- RM.*")


def find_in_code(number: int) -> None:
    """Run `lab check` on two files with the mistake of a lesson.

    `number` is the number of the lesson. One file is the lesson's module of `bad_server`, the other is a Node file. The
    findings are listed below the cell, one line for each. The Node file can be unfolded below them. Raises
    `LessonError` if there is no such lesson.
    """
    mistake = lesson(number).claim.id
    module = _bad_module(mistake)
    in_python = check([module], Options())
    node_code = MARK.sub("", _node_rule(mistake, in_python).snippets["node"].bad)
    parts = [
        _findings(f"{module.parent.name}/{module.name}", mistake, in_python),
        _findings(NODE_FILE, mistake, _check_text(node_code)),
        _folded(node_code),
    ]
    show_output(Markdown("\n\n".join(parts)))


def _bad_module(mistake: str) -> Path:
    folder = Path(bad_server.__file__ or "").parent
    return next(folder.glob(f"mistake_{mistake}_*.py"))


def _node_rule(mistake: str, result: Result) -> Rule:
    """Return a rule of `lab check` that has an example for Node.

    The rule finds the mistake with the id `mistake`, such as `02`. `result` is the result for the Python file. If
    possible, the rule is one that also found something in the Python file: then both files show the same rule.
    """
    rules = [rule for rule in all_rules() if rule.mistake == mistake and "node" in rule.snippets]
    found = {finding.rule for finding in result.findings}
    return next((rule for rule in rules if rule.id in found), rules[0])


def _check_text(code: str) -> Result:
    """Return the result of `lab check` for JavaScript code. The code is saved in a temporary file for this."""
    with TemporaryDirectory(prefix="lab-check-") as folder:
        file = Path(folder) / NODE_FILE
        file.write_text(code, encoding="utf-8")
        return check([file], Options())


def _findings(file: str, mistake: str, result: Result) -> str:
    """Return the command that checks a file, and the findings, as Markdown.

    A finding is a line that `lab check` reports. `mistake` is the id of a mistake, such as `02`. If there are no
    findings, the text says so, and adds what `lab check` says about this mistake.
    """
    command = f"**`lab check {file}`**"
    if not result.findings:
        (verdict,) = (verdict for number, _, verdict in mistake_lines(result) if number == mistake)
        return f"{command}\n\nNo finding. Mistake {mistake}: {verdict}"
    lines = [
        f"- line {finding.line}, **{finding.rule} {finding.level}**: {_colon(finding.message)} {_code(finding.text)}"
        for finding in result.findings
    ]
    return "\n".join([f"{command}\n", *lines])


def _colon(message: str) -> str:
    return message if message.endswith("?") else f"{message}:"


def _code(text: str) -> str:
    """Return a line of code as inline code of Markdown.

    The row of backticks around the code is longer than any row of backticks in the code.
    """
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {printable(text)} {fence}"


def _folded(code: str) -> str:
    title = f"The Node file, <code>{NODE_FILE}</code>"
    return f"<details><summary>{title}</summary>\n\n{monospaced(code.strip(), 'js')}\n\n</details>"
