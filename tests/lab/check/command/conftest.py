"""A small analysis and small rules, to test the command.

A line with `STORE`, `EMIT` or `ASK` is a finding at that word. The analysis knows the functions and the joins of one
line each. Run as a program, it is the command `lab` with these: `python conftest.py check src`.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from lab.check.ir import Call, Member, Name, Node, Source
from lab.check.model import Hit, Rule, Snippet

COMMENT = re.compile(r"(?://|#|/\*)\s*(.*)")
FUNCTION = re.compile(r"(?:function|def) (\w+)")
JOIN = re.compile(r"socket\.join\((\w+)\)")


@dataclass
class FakeFacts:
    sources: dict = field(default_factory=dict)
    unreadable: list = field(default_factory=list)
    names: dict = field(default_factory=dict)
    files: int = 0

    @classmethod
    def of(cls, paths, progress=None):
        facts = cls()
        base = paths[0] if len(paths) == 1 and paths[0].is_dir() else Path.cwd()
        for path in paths:
            for file in [path] if path.is_file() else sorted(path.rglob("*.*")):
                if file.suffix in {".js", ".py", ".ts"}:
                    facts.read(file, Path(os.path.relpath(file, base)).as_posix())
        return facts

    def read(self, file, name):
        self.files += 1
        try:
            lines = file.read_text("utf-8").split("\n")
        except UnicodeDecodeError:
            self.unreadable.append((name, "not UTF-8"))
            return
        found = ((number, COMMENT.search(line)) for number, line in enumerate(lines, 1))
        comments = [(number, match[1]) for number, match in found if match]
        source = Source("js", [], comments, lines)
        self.sources[name] = source
        function = ""
        for number, line in enumerate(lines, 1):
            if match := FUNCTION.search(line):
                function = match[1]
            for match in JOIN.finditer(line):
                call = Call(Member(Name("socket"), "join"), [Name(match[1])], line=number)
                source.body.append(self.inside(function, call))
            for word in ("STORE", "EMIT", "ASK"):
                if word in line:
                    node = Node(line=number, column=line.index(word) + 1, end_line=number)
                    self.inside(function, node)
                    self.names.setdefault(word, []).append((name, node))

    def inside(self, function, node):
        # the node is kept, so that its id stays its own
        self.names[id(node)] = (function, node)
        return node

    def function_at(self, node):
        return self.names.get(id(node), ("",))[0]

    def dialect(self, path):
        return "python-socketio" if path.endswith(".py") else "node"

    @property
    def concerned(self):
        return any("socket" in line for source in self.sources.values() for line in source.lines)


def _rule(rule, mistake, level, word, title, **more):
    return Rule(
        id=rule,
        mistake=mistake,
        level=level,
        title=title,
        what=f"A line with {word}.",
        why="It fails. Later, too.",
        exceptions="A test.",
        fix={
            "node": "Emit to the room.\nio.to(room).emit(event);\n  // each connection joins it",
            "python-socketio": "Emit to the room.\nawait sio.emit(event, to=room)",
        },
        snippets={"node": Snippet(f"{word}; // <- {rule}\n", "io.to(room);\n")},
        find=lambda facts: (Hit(path, node, f"`{word}` is here") for path, node in facts.names.get(word, ())),
        **more,
    )


RULES = (
    _rule("RM011", "01", "error", "STORE", "a stored id"),
    _rule("RM021", "02", "error", "EMIT", "emit to a socket id taken from a map"),
    _rule("RM022", "02", "warning", "FETCH", "a socket looked up by a stored id"),
    _rule("RM081", "08", "question", "ASK", "a join that the client names", accounts=True, severity="7.5"),
)


def install(patch):
    patch.setattr("lab.check.run.Facts", FakeFacts)
    patch.setattr("lab.check.own_rules.all_rules", lambda: RULES)


@pytest.fixture
def fake_analysis(monkeypatch):
    """Replace the analysis and the rules by small ones."""
    install(monkeypatch)


@pytest.fixture
def folder(tmp_path, monkeypatch, fake_analysis):
    """Return an empty working folder, with the small analysis."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NO_COLOR", raising=False)
    return tmp_path


@pytest.fixture
def write(folder):
    """Return a function that writes files of the working folder."""

    def write(**files):
        for name, text in files.items():
            path = folder / name.replace("__", "/").replace("_js", ".js").replace("_py", ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return write


@pytest.fixture
def lab(folder, capsys):
    """Return a function that runs `lab check`.

    It returns exit code, output and errors.
    """
    from lab.__main__ import main

    def run(*arguments):
        code = main(["check", *map(str, arguments)])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def git_here(tmp_path):
    """Return a function that runs git in a new repository."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    user = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "init.defaultBranch=main")

    def run(*arguments):
        command = [shutil.which("git"), *user, *arguments]
        subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)

    run("init")
    return run


@pytest.fixture
def git(folder, git_here):
    """Return the function `git_here`, with the small analysis."""
    return git_here


if __name__ == "__main__":
    from lab.__main__ import main

    install(pytest.MonkeyPatch())
    sys.exit(main(sys.argv[1:]))
