"""Creates the content of `costs.json`: the harm of each Socket.IO mistake.

`lab compare --readme` measures the harm, such as lost messages, and writes it to the README and to `costs.json`.
`lab check` only reads `costs.json`. So `lab check` does not import the modules that measure, and starts faster.
"""

import datetime
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lab.compare.comparison import Comparison
from lab.report.json_document import as_json
from lab.results.wording import number

SCHEMA = 1
SIDES = ("bad", "good")


def document_of(comparison: Comparison, file: Path) -> bytes:
    """Return the new content of `costs.json`, from a measured comparison.

    `comparison` has the measurements of two example servers, one with and one without the mistakes. Numbers are
    strings, as the README prints them. If the measurements do not confirm the harm of a mistake, the numbers that
    `file` (the old `costs.json`) has for this mistake are kept.
    """
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return _with_rows(json.loads(as_json(comparison))["claims"], file, today)


def _with_rows(rows: Iterable[Mapping[str, Any]], file: Path, today: str) -> bytes:
    claims: dict[str, Any] = json.loads(file.read_bytes())["claims"] if file.exists() else {}
    for row in rows:
        if row["verdict"] != "shown":
            continue
        also = {item["key"]: {side: number(item[side]) for side in SIDES} for item in row["also"]}
        claims[row["id"]] = {"measured": today, **{side: number(row[side]) for side in SIDES}, "also": also}
    document = {"schema": SCHEMA, "claims": dict(sorted(claims.items()))}
    return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"
