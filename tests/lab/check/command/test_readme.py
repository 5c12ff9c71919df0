"""Test what the README shows of `lab check`."""

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml
from lab.__main__ import _parser, main
from lab.check import readme

ROOT = Path(__file__).resolve().parents[4]
TEXT = (ROOT / "README.md").read_text("utf-8")
SECTION = re.search(r"\n## Check your code\n(.*?)\n## ", TEXT, re.DOTALL)[1]
WORKFLOW, HOOKS = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", SECTION, re.DOTALL))
MARKS = """\
<!-- lab compare: begin -->
<!-- lab compare: end -->
<!-- lab check example: begin -->
old
<!-- lab check example: end -->
<!-- lab check rules: begin -->
<!-- lab check rules: end -->
"""


def test_the_example_is_what_the_command_prints():
    assert readme.EXAMPLE_BLOCK.search(TEXT)
    assert readme.with_example(TEXT, ROOT) == TEXT, "run lab check --readme"


def test_the_table_has_every_rule_as_it_is():
    assert readme.RULES_BLOCK.search(TEXT)
    assert readme.with_rules(TEXT) == TEXT, "run lab check --readme"


def test_each_lesson_of_the_table_exists():
    links = set(re.findall(r"\]\((notebooks/[^)]+)\)", readme.RULES_BLOCK.search(TEXT)[0]))
    assert len(links) == 10
    assert [link for link in links if not (ROOT / link).exists()] == []


def commands():
    """Yield each command of the text, and the one of the hook."""
    for command in re.findall(r"lab check (?!example|rules)[^`\n]+", TEXT):
        yield command.split(" > ")[0]
    for repository in HOOKS["repos"]:
        yield from (f"lab check . {shlex.join(hook['args'])}" for hook in repository["hooks"])


def test_the_readme_has_its_commands():
    assert len(list(commands())) > 8


@pytest.mark.parametrize("command", list(commands()))
def test_each_command_of_the_readme_is_accepted(command):
    _, *arguments = shlex.split(command)
    _parser().parse_args(arguments)


def test_the_workflow_uploads_the_report_it_writes():
    [job] = WORKFLOW["jobs"].values()
    written = next(step["run"] for step in job["steps"] if "--format sarif" in step.get("run", ""))
    uploads = [step["with"]["sarif_file"] for step in job["steps"] if "upload-sarif" in step.get("uses", "")]
    assert re.findall(r"> (\S+)", written) == uploads
    assert WORKFLOW["permissions"]["security-events"] == "write"


def test_the_actions_are_those_of_our_own_workflow():
    own = set(re.findall(r"uses: (actions/\S+)", (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")))
    assert set(re.findall(r"uses: (actions/\S+)", SECTION)) <= own


def test_the_hook_of_the_readme_is_offered():
    offered = {hook["id"] for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))}
    assert {hook["id"] for repository in HOOKS["repos"] for hook in repository["hooks"]} <= offered


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Return the path of another README, which `lab check --readme` finds."""
    path = tmp_path / "README.md"
    monkeypatch.setattr(readme, "find_readme", lambda: path)
    return path


def test_the_readme_option_renews_both_parts(elsewhere, capsys, monkeypatch):
    monkeypatch.setattr(readme, "output_of_example", lambda _root: "new\n")
    elsewhere.write_text(MARKS)
    assert main(["check", "--readme"]) == 0
    assert capsys.readouterr().out == f"{elsewhere} is up to date\n"
    text = elsewhere.read_text()
    assert f"\n$ lab check {readme.EXAMPLE}\nnew\n```\n<!-- lab check example: end -->" in text
    assert "old" not in text
    assert "\n| RM011 | 01 | error | " in text


def test_another_duration_alone_changes_nothing(monkeypatch):
    text = f"```console\n$ lab check {readme.EXAMPLE}\n1 file checked in 0.1 s: 1 error\n```\n"
    text = MARKS.replace("old\n", text)
    monkeypatch.setattr(readme, "output_of_example", lambda _root: "1 file checked in 3.2 s: 1 error\n")
    assert readme.with_example(text, ROOT) == text


@pytest.mark.parametrize("part", ["example", "rules"])
def test_a_readme_without_the_marks_is_one_line(elsewhere, capsys, part):
    elsewhere.write_text(MARKS.replace(f"check {part}", "check"))
    assert main(["check", "--readme"]) == 2
    assert "has no marks" in capsys.readouterr().err


def test_an_example_that_is_gone_is_one_line(elsewhere, capsys):
    elsewhere.write_text(MARKS)
    assert main(["check", "--readme"]) == 2
    assert re.fullmatch(r"lab: lab check \S+ failed: lab: cannot read \S+: .+\n", capsys.readouterr().err)


def test_a_new_measurement_renews_the_example(tmp_path, monkeypatch):
    import lab.cli.compare as command

    path, costs = tmp_path / "README.md", tmp_path / "costs.json"
    path.write_text(MARKS)
    monkeypatch.setattr(command, "_costs", lambda _readme: costs)
    monkeypatch.setattr("lab.report.readme_table.with_rows", lambda file, _comparison: file.read_bytes())
    monkeypatch.setattr("lab.check.cost_document.document_of", lambda *_: b'{"cost": 7}')
    monkeypatch.setattr(readme, "output_of_example", lambda _root: f"costs {json.loads(costs.read_bytes())['cost']}\n")
    options = _parser().parse_args(["compare", "--readme"])
    command.results.write(command._outputs(None, options, path))
    assert "\ncosts 7\n```" in path.read_text()
