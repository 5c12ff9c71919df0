"""Renders the result of an examination as one HTML page.

In the examination, a learner had to find the unknown mistakes of servers.
"""

import datetime
from html import escape
from importlib import resources
from pathlib import Path

import platformdirs

from lab.diagnosis.answers import describe
from lab.diagnosis.measurement import in_words
from lab.diagnosis.session import ExamResult, ExamRow
from lab.exercises.progress_file import FOLDER
from lab.system.atomic_file import write
from lab.system.exit_codes import UsageError

PAGE = "diagnosis.html"


def default_page() -> Path:
    """Return the default path of the result page (user's data folder)."""
    return platformdirs.user_data_path(FOLDER) / PAGE


def write_page(result: ExamResult, path: Path) -> Path:
    """Write the result of an examination as an HTML page.

    Returns the absolute path of the page. Raises `UsageError` if the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, as_html(result).encode())
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    return path.absolute()


def as_html(result: ExamResult) -> str:
    """Render an examination's result as HTML that loads no other file."""
    style = (resources.files("lab.report") / "page.css").read_text(encoding="utf-8")
    rows = "".join(map(_row, result.rows))
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Blind diagnosis: {escape(result.summary)}</title>
<style>
{style}</style>
<header>
<h1>Blind diagnosis</h1>
<p class="lead">{escape(result.summary)}.</p>
<p class="soft">The final examination of “Rooms, not IDs”, {today}. The same servers again:
<code>lab diagnose --exam --seed {result.seed}</code></p>
</header>
<main>
<table>
<tr><th>server</th><th>your answer</th><th>it has</th><th>what its scenario measures</th><th></th></tr>
{rows}</table>
</main>
<footer>
<p class="soft">Each server was measured with the scenario of its lesson, on a new server with the same mistake. The
bounds are those of the claims: a server without the mistake has to meet the last number.</p>
</footer>
</html>
"""


def answer_in_words(row: ExamRow) -> str:
    """Return in words which mistakes of a server a learner has named."""
    return "given up" if row.answer is None else describe(row.answer)


def measured_in_words(row: ExamRow) -> str:
    """Return the values that were measured on a server, in words.

    After each value, the text has the range of a good server, such as `at most 0`.
    """
    return "; ".join(
        f"{found.claim.metric}: {in_words(found.claim, found.here)} (a good server: {found.claim.wanted('good')})"
        for found in row.findings
    )


def _row(row: ExamRow) -> str:
    verdict = f'<span class="verdict {"" if row.is_right else "not_shown"}">{row.verdict}</span>'
    cells = (row.letter, answer_in_words(row), describe(row.mistakes), measured_in_words(row))
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + f"<td>{verdict}</td></tr>\n"
