"""Test the hook that the repository offers to pre-commit."""

import re
import shlex
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from lab.__main__ import main

[HOOK] = yaml.safe_load((Path(__file__).resolve().parents[4] / ".pre-commit-hooks.yaml").read_text("utf-8"))


def test_the_entry_is_an_installed_command():
    program, *_ = shlex.split(HOOK["entry"])
    scripts = {script.name: script.value for script in metadata.entry_points(group="console_scripts")}
    assert scripts[program] == "lab.__main__:main"
    assert HOOK["language"] == "python"


@pytest.mark.parametrize(("text", "code"), [("socket EMIT\n", 1), ("socket\n", 0)])
def test_the_entry_fails_for_code_with_an_error(write, capsys, text, code):
    write(src__a_js=text)
    _, *arguments = shlex.split(HOOK["entry"])
    assert main(arguments) == code
    # pre-commit would add names of changed files, and a check needs the whole project
    assert HOOK["pass_filenames"] is False


CHECKED = ["io.js", "io.jsx", "io.mjs", "io.cjs", "io.ts", "io.tsx", "io.mts", "io.cts", "app.py", "src/a.b.js"]


@pytest.mark.parametrize("name", CHECKED)
def test_the_hook_runs_for_files_that_are_checked(name):
    assert re.search(HOOK["files"], name)


@pytest.mark.parametrize("name", ["package.json", "README.md", "js", "a.js.map", "a.pyc"])
def test_the_hook_does_not_run_for_other_files(name):
    assert not re.search(HOOK["files"], name)
