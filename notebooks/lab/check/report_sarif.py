"""Writes the checker's report as SARIF 2.1.0, for code hosts and editors.

The format is described at https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from importlib import metadata
from typing import Any
from urllib.parse import quote

from lab.check.base import from_working_folder
from lab.check.explain import page
from lab.check.mistakes import url_of
from lab.check.model import Finding, Rule
from lab.check.result import Result

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
VERSION = "2.1.0"
LEVELS = {"error": "error", "warning": "warning", "question": "note"}
# how sure a finding of each level is
PRECISIONS = {"error": "very-high", "warning": "high", "question": "medium"}
# relative paths begin at the root of the repository
ROOT = "%SRCROOT%"


def as_sarif(result: Result) -> str:
    """Return the report as SARIF, in ASCII.

    Code hosts want paths relative to the root of the repository. So the paths are relative to the working folder, if
    the working folder contains the checked folder. Otherwise the paths are relative to the checked folder.
    """
    index = {rule.id: number for number, rule in enumerate(result.rules)}
    results = [
        _result(result, finding, fingerprint, index[finding.rule]) for finding, fingerprint in _fingerprinted(result)
    ]
    run = {
        "tool": {"driver": _driver(result)},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": _notifications(result)}],
        "results": results,
    }
    return json.dumps({"$schema": SCHEMA, "version": VERSION, "runs": [run]}, indent=1) + "\n"


def _driver(result: Result) -> dict[str, Any]:
    return {
        "name": "lab check",
        "version": _version(),
        "informationUri": url_of(""),
        "rules": [_rule(rule) for rule in result.rules],
    }


def _version() -> str:
    try:
        return metadata.version("rooms-not-ids")
    except metadata.PackageNotFoundError:
        return "0"


def _rule(rule: Rule) -> dict[str, Any]:
    properties: dict[str, Any] = {"tags": ["socket.io"], "precision": PRECISIONS[rule.level]}
    if rule.severity:
        # code hosts sort by it, and call such an alert one of security
        properties |= {"tags": ["security", "socket.io"], "security-severity": rule.severity}
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.title.split() if word.isalnum()) or rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.what},
        "help": {"text": page(rule), "markdown": page(rule, markdown=True)},
        "helpUri": url_of(rule.mistake),
        "defaultConfiguration": {"level": LEVELS[rule.level]},
        "properties": properties,
    }


def _result(result: Result, finding: Finding, fingerprint: str, index: int) -> dict[str, Any]:
    region = {"startLine": finding.line, "startColumn": finding.column, "endLine": finding.end_line}
    location = {"artifactLocation": _artifact(result, finding.path), "region": region}
    return {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": LEVELS[finding.level],
        "message": {"text": " ".join(part for part in (_sentence(finding.message), finding.cost, finding.fix) if part)},
        "locations": [{"physicalLocation": location}],
        # the first is what GitHub compares, the second is for others
        "partialFingerprints": {"primaryLocationLineHash": fingerprint, "labCheck/v1": fingerprint},
    }


def _sentence(message: str) -> str:
    return message if message.endswith("?") else f"{message}."


def _fingerprinted(result: Result) -> Iterator[tuple[Finding, str]]:
    """Yield each finding with its fingerprint.

    The fingerprint is a hash. A code host such as GitHub uses the hash to recognise the same finding in a later report.
    The hash stays the same when other lines of the file change.
    """
    seen: Counter[str] = Counter()
    for finding in result.findings:
        parts = (finding.rule, from_working_folder(result.base, finding.path), finding.function, finding.text)
        # the name of a file may be no valid Unicode
        digest = hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()[:16]
        seen[digest] += 1
        yield finding, f"{digest}:{seen[digest]}"


def _notifications(result: Result) -> list[dict[str, Any]]:
    unread = [
        {
            "level": "warning",
            "message": {"text": f"not checked: {reason}"},
            "locations": [{"physicalLocation": {"artifactLocation": _artifact(result, path)}}],
        }
        for path, reason in result.unreadable
    ]
    return unread + [{"level": "error", "message": {"text": failure}} for failure in result.failures]


def _artifact(result: Result, path: str) -> dict[str, str]:
    uri = quote(os.fsencode(from_working_folder(result.base, path)))
    return {"uri": uri, "uriBaseId": ROOT}
