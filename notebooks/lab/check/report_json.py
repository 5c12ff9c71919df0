"""Writes the checker's report as JSON, for other programs."""

import json
from dataclasses import fields
from typing import Any

from lab.check.model import Finding
from lab.check.result import Result

SCHEMA = 1
# these are not part of the format
INTERNAL = {"function", "text", "dialect"}
FIELDS = tuple(field.name for field in fields(Finding) if field.name not in INTERNAL)


def as_json(result: Result) -> str:
    """Return the report as JSON, in ASCII."""
    document = {
        "schema": SCHEMA,
        "findings": [_row(finding) for finding in result.findings],
        "files": result.files,
        "unreadable": [{"path": path, "reason": reason} for path, reason in result.unreadable],
        "seconds": round(result.seconds, 3),
    }
    return json.dumps(document, indent=2) + "\n"


def _row(finding: Finding) -> dict[str, Any]:
    return {name: getattr(finding, name) for name in FIELDS}
