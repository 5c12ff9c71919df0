"""Guard the plain English of code, tests and documents.

Run as a program, it lists the violations below the paths that are given: `python tests/project/test_language.py lab`.
"""

import ast
import re
import sys
from pathlib import Path

import pytest

THIS_FILE = Path(__file__).resolve()
ROOT = THIS_FILE.parents[2]
MOST_WORDS = 12
MOST_TEST_NAME = 60
# words that a reader whose first language is not English stumbles over, as regular expressions
BANNED = (
    "answers for",
    "at nought",
    "come true",
    "comes true",
    "convict[a-z]*",
    "for ever",
    "hang up",
    "hung up",
    "in lots of",
    "is dearer",
    "let live",
    "make way",
    "mends itself",
    "no broker more",
    "nought",
    "of its own accord",
    "own voice",
    "passing refusal",
    "the bell",
    "the dearer",
    "told to come back",
    "whoever",
    "whom",
)
BANNED_WORD = re.compile(r"\b(" + "|".join(BANNED) + r")\b", re.IGNORECASE)
SENTENCE = re.compile(r"(.+?[.!?])(?=\s|$)", re.DOTALL)
TEXTS = ("*.py", "*.md", "*.toml", "*.yaml", "*.yml", "*.txt", "*.ini", "*.conf", "*.service", ".env.example")
SKIPPED = {".git", ".venv", "__pycache__", "node_modules"}


def files_below(*folders):
    """The text files below these folders, generated notebooks left out."""
    for folder in folders:
        found = [folder] if folder.is_file() else [path for pattern in TEXTS for path in folder.rglob(pattern)]
        # this file holds the words that it bans
        yield from sorted(path for path in found if not SKIPPED & set(path.parts) and path.resolve() != THIS_FILE)


def docstrings(tree):
    """Each docstring of a module with its line."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, documented) and (text := ast.get_docstring(node)):
            yield node.body[0].lineno, text


def long_openings(text):
    """First sentences of docstrings that are too long or do not end in a full stop."""
    for line, docstring in docstrings(ast.parse(text)):
        first = SENTENCE.match(docstring.split("\n\n")[0])
        if first is None:
            yield line, f"the first sentence has no full stop: {docstring.splitlines()[0]}"
        elif len(first[1].split()) > MOST_WORDS:
            yield line, f"the first sentence has {len(first[1].split())} words: {' '.join(first[1].split())}"


def banned_words(text):
    """Banned words, in code and prose alike."""
    for number, line in enumerate(text.splitlines(), 1):
        for found in BANNED_WORD.finditer(line.replace("_", " ")):
            yield number, f"banned: {found[0]!r} in {line.strip()}"


def long_test_names(text):
    """Names of tests that do not fit into one line of a report."""
    for node in ast.walk(ast.parse(text)):
        is_test = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
        if is_test and len(node.name) > MOST_TEST_NAME:
            yield node.lineno, f"a test name of {len(node.name)} characters: {node.name}"


def violations(*folders):
    """Every violation below the folders, as `path:line: what`."""
    for path in files_below(*folders):
        text = path.read_text("utf-8")
        checks = [banned_words]
        if path.suffix == ".py" and "source" not in path.parts:
            checks += [long_openings, long_test_names]
        for check in checks:
            yield from (f"{path}:{line}: {what}" for line, what in check(text))


@pytest.mark.parametrize("folder", ["good_server", "bad_server", "notebooks", "tests", ".github"])
def test_the_text_of_a_folder_is_plain(folder):
    assert list(violations(ROOT / folder)) == []


def test_the_documents_at_the_top_are_plain():
    named = [ROOT / name for name in ("README.md", "CHANGELOG.md", "pyproject.toml")]
    assert list(violations(*named)) == []


LONG = '"""One two three four five six seven eight nine ten eleven twelve thirteen."""'
PLANTED = [
    (long_openings, LONG),
    (long_openings, '"""A sentence without an end"""'),
    (long_openings, 'def send():\n    """Ends in a colon:\n\n    A list."""'),
    (banned_words, "# Answers for the rooms"),
    (banned_words, "def make_way(): ..."),
    (long_test_names, f"def test_{'x' * MOST_TEST_NAME}(): ..."),
]


@pytest.mark.parametrize(("check", "text"), PLANTED)
def test_a_planted_violation_is_found(check, text):
    assert len(list(check(text))) == 1


PLAIN = [
    (long_openings, '"""Send queue of one connection, batched and bounded.\n\nMore."""'),
    (banned_words, "# Slow consumers are disconnected (backpressure)."),
    (long_test_names, "def test_a_slow_consumer_is_disconnected(): ..."),
]


@pytest.mark.parametrize(("check", "text"), PLAIN)
def test_plain_text_passes(check, text):
    assert list(check(text)) == []


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in violations(*map(Path, sys.argv[1:])))
