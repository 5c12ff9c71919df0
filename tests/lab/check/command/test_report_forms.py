"""Test the reports for programs: JSON, SARIF and annotations of GitHub."""

import hashlib
import json

import pytest
from lab.check.report_github import as_github
from sarif_kit.validate import validation_errors

FINDING = {
    "rule": "RM021",
    "mistake": "02",
    "level": "error",
    "path": "src/io.js",
    "line": 2,
    "column": 3,
    "end_line": 2,
    "message": "`EMIT` is here",
    "fix": "Emit to the room.\nio.to(room).emit(event);\n  // each connection joins it",
    "lesson": "02_emit_by_socket_id",
}


def document(lab, *arguments, form):
    return json.loads(lab(*arguments, "--format", form)[1])


def test_json_has_the_documented_form(lab, write, folder):
    write(src__io_js="socket\n  EMIT\n")
    (folder / "bad.js").write_bytes(b"\xff")
    found = document(lab, ".", form="json")
    cost = found["findings"][0].pop("cost")
    assert cost.startswith("Measured on two example servers")
    assert found.pop("seconds") >= 0
    unreadable = [{"path": "bad.js", "reason": "not UTF-8"}]
    assert found == {"schema": 1, "findings": [FINDING], "files": 2, "unreadable": unreadable}


def test_json_of_code_without_socket_io_is_empty(lab, write):
    write(a_js="\n")
    assert document(lab, ".", form="json")["findings"] == []


@pytest.fixture
def hostile(write, folder):
    """A project whose names and code need every kind of escape."""
    write(src__io_js="socket EMIT ASK\n  EMIT STORE\n// lab: ignore[RM021]\n")
    (folder / "src" / "a b%,:é\n.js").write_text("EMIT")
    (folder / "src" / "\udc80.js").write_text("EMIT")
    (folder / "src" / "bad.js").write_bytes(b"\xff")
    return folder


def test_sarif_is_valid_by_its_schema(lab, hostile):
    found = document(lab, ".", form="sarif")
    assert validation_errors(found) == []
    assert found["version"] == "2.1.0"


def test_a_wrong_sarif_would_be_refused(lab, hostile):
    found = document(lab, ".", form="sarif")
    found["runs"][0]["results"][0]["level"] = "question"
    assert len(validation_errors(found)) == 1


def test_sarif_names_rules_with_help_and_severity(lab, hostile):
    [run] = document(lab, ".", form="sarif")["runs"]
    rules = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    assert all(rule["helpUri"].startswith("https://") for rule in rules.values())
    assert rules["RM081"]["properties"] == {
        "precision": "medium",
        "tags": ["security", "socket.io"],
        "security-severity": "7.5",
    }
    assert "security-severity" not in rules["RM021"]["properties"]
    assert "```js\nEMIT; // <- RM021\n```" in rules["RM021"]["help"]["markdown"]
    levels = {result["ruleId"]: result["level"] for result in run["results"]}
    assert levels == {"RM021": "error", "RM011": "error", "RM081": "note", "RM000": "warning"}
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_sarif_paths_are_encoded_and_from_the_working_folder(lab, hostile):
    [run] = document(lab, "src", form="sarif")["runs"]
    uris = {result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in run["results"]}
    assert uris == {"src/io.js", "src/a%20b%25%2C%3A%C3%A9%0A.js", "src/%80.js"}
    [notice] = run["invocations"][0]["toolExecutionNotifications"]
    assert notice["message"]["text"] == "not checked: not UTF-8"


def fingerprints(lab):
    [run] = document(lab, ".", "--select", "RM021", form="sarif")["runs"]
    return [result["partialFingerprints"]["primaryLocationLineHash"] for result in run["results"]]


def test_fingerprints_survive_edits_of_other_lines(lab, write):
    write(a_js="socket\nfunction send() {\n  EMIT\n  EMIT\n}\n")
    before = fingerprints(lab)
    assert len(set(before)) == 2
    write(a_js="// new\nsocket\nfunction send() {\n EMIT\n other\n EMIT\n}\n")
    assert fingerprints(lab) == before
    write(a_js="socket\nfunction other() {\n  EMIT\n}\n")
    assert not set(fingerprints(lab)) & set(before)


def annotations(lab, *arguments):
    return lab(*arguments, "--format", "github")[1].splitlines()


def test_github_gets_one_annotation_per_finding(lab, write):
    write(src__io_js="socket\n  ASK EMIT\n")
    error, notice, last = annotations(lab, "src")
    head = "::error file=src/io.js,line=2,endLine=2,title=RM021 emit to a socket id taken from a map,col=7::"
    assert error.startswith(f"{head}`EMIT` is here%0AIt fails.%0AMeasured on two example servers")
    assert "%0AFix: Emit to the room.%0Aio.to(room).emit(event);%0A" in error
    assert error.endswith("%0AMore: lab check --explain RM021 --api node")
    assert notice.startswith("::notice file=src/io.js,line=2,")
    assert last.startswith("lab check: 1 file checked in ")


def test_github_annotations_are_escaped(lab, hostile):
    lines = annotations(lab, ".")
    assert any(line.startswith("::error file=src/a b%25%2C%3Aé%0A.js,line=1,") for line in lines)
    assert "::warning file=src/bad.js,title=lab check::not checked: not UTF-8" in lines
    assert all(line.startswith(("::", "lab check: ")) for line in lines)


def test_an_annotation_of_several_lines_has_no_column(lab, write, monkeypatch):
    from dataclasses import replace

    results = []
    monkeypatch.setattr("lab.cli.check._report", lambda result, _options: results.append(result))
    write(a_js="socket EMIT\n")
    lab(".")
    [result] = results
    longer = replace(result, findings=[replace(finding, end_line=3) for finding in result.findings])
    assert ",line=1,endLine=3,title=" in as_github(longer)
    assert "col=" not in as_github(longer)


def test_the_fingerprint_is_a_hash_of_what_stays(lab, write):
    write(a_js="socket\n   EMIT   now\n")
    parts = "RM021\0a.js\0\0EMIT now"
    assert fingerprints(lab) == [f"{hashlib.sha256(parts.encode()).hexdigest()[:16]}:1"]
