"""Writes the pages and the table that explain the checker's rules."""

from collections.abc import Iterator, Sequence

from lab.check.cost import cost_of
from lab.check.dialects import Dialect
from lab.check.mistakes import lesson_of
from lab.check.model import Rule
from lab.check.set_user import lines_that_set_user

NAMES: dict[Dialect, str] = {
    "node": "Socket.IO on Node",
    "nest": "NestJS",
    "python-socketio": "python-socketio",
    "flask": "Flask-SocketIO",
}
FENCES: dict[Dialect, str] = {"node": "js", "nest": "ts", "python-socketio": "python", "flask": "python"}
INDENT = "    "


def page(rule: Rule, *, api: Dialect | None = None, markdown: bool = False) -> str:
    """Return the page that explains a rule, as plain text or Markdown.

    If `api` is given, the page has the examples for this Socket.IO API only. An API is, for example, NestJS.
    """
    sections = [
        ("What it finds", rule.what),
        ("Why it matters", rule.why if cost_of(rule) in rule.why else f"{rule.why}\n{cost_of(rule)}"),
        ("When it is no mistake", rule.exceptions),
    ]
    head = f"{rule.id} ({rule.level}): {rule.title}"
    lines = [f"# {head}" if markdown else head, ""]
    for title, text in sections:
        lines += [f"**{title}.** {text}" if markdown else f"{title}\n{_indented(text)}", ""]
    for dialect, name in NAMES.items():
        if api in (None, dialect):
            lines += _dialect(rule, dialect, name, markdown=markdown)
    lines.append(f"Suppress one finding: a comment `lab: ignore[{rule.id}] reason`, on its line or on the line above.")
    if lesson := lesson_of(rule.mistake):
        lines.append(f"Lesson: lab learn {rule.mistake} (its name is {lesson})")
    return "\n".join(lines) + "\n"


def _dialect(rule: Rule, dialect: Dialect, name: str, *, markdown: bool) -> Iterator[str]:
    snippet, fix = rule.snippets.get(dialect), rule.fix.get(dialect)
    if snippet is None and (fix is None or rule.snippets):
        return
    yield from (f"## {name}" if markdown else name, "")
    if snippet is not None:
        yield from _code("Bad:", snippet.bad, FENCES[dialect], markdown=markdown)
    if fix is not None:
        sentence, _, code = fix.partition("\n")
        yield from (f"Fix: {sentence}", "")
        if code:
            yield from _code("", code + lines_that_set_user(code, dialect), FENCES[dialect], markdown=markdown)
    if snippet is not None:
        yield from _code("Good:", snippet.good, FENCES[dialect], markdown=markdown)


def _code(title: str, code: str, language: str, *, markdown: bool) -> Iterator[str]:
    code = code.strip("\n")
    if title:
        yield title
    yield from (f"```{language}", code, "```", "") if markdown else (_indented(code), "")


def _indented(text: str) -> str:
    return "\n".join(f"{INDENT}{line}" if line else "" for line in text.splitlines())


def table(rules: Sequence[Rule]) -> str:
    """Return the table of rules for a terminal."""
    lines = [f"{'id':<5}  {'level':<8}  mistake  finds"]
    lines += [f"{rule.id:<5}  {rule.level:<8}  {rule.mistake:<7}  {rule.title}" for rule in rules]
    return "\n".join(lines) + "\n"


def markdown_table(rules: Sequence[Rule]) -> str:
    """Return the README's table of rules, with links to the notebooks."""
    lines = ["| rule | mistake | level | finds | lesson |", "|---|---|---|---|---|"]
    lines += [_row(rule) for rule in rules]
    return "\n".join(lines) + "\n"


def _row(rule: Rule) -> str:
    title = rule.title.replace("|", "\\|")
    lesson = lesson_of(rule.mistake)
    mistake, link = (rule.mistake, f"[{lesson}](notebooks/{lesson}.ipynb)") if lesson else ("", "")
    return f"| {rule.id} | {mistake} | {rule.level} | {title} | {link} |"
