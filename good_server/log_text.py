"""Makes text safe for the log.

Control characters are escaped, and each token is replaced by `[token]`.
"""

import json
import re
from collections.abc import Callable, MutableMapping
from typing import Any

import orjson

# control and format characters: line breaks of every kind, escape codes, changes of direction, lone surrogates
UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\ud800-\udfff\U000e0000-\U000e007f]"
)
# a JWT begins with `{"` or `{ ` in base64; other tokens are known by the word before them
TOKEN = re.compile(r"\be(?:yJ|yA|wo|w0)[\w-]{8,}(?:\.[\w-]*)*|(?i:\bbearer)\s+[^\s\"']+|(?i:token)(?:=|%3D)[^&\s\"']+")
# a library may log a whole packet or header
LIBRARY_TEXT_LENGTH = 300
# these keep their form: they are rendered later, or their text has several lines
NOT_TEXT = frozenset({"exc_info", "exception", "stack", "_record"})


def safe_text(text: str) -> str:
    """Return `text` as one line without tokens. Control characters are escaped, and `[token]` replaces each token."""
    return UNSAFE.sub(_escape, without_tokens(text))


def without_tokens(text: str) -> str:
    """Return `text` with `[token]` in place of each token."""
    return TOKEN.sub("[token]", text)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def json_line(entry: Any, **_ignored: Any) -> str:
    """Return a log entry as one line of JSON, without tokens."""
    try:
        line = orjson.dumps(entry, default=repr).decode()
    except TypeError:
        # orjson takes no lone surrogates and no numbers beyond 64 bits
        line = json.dumps(entry, default=repr)
    return UNSAFE.sub(lambda found: json.dumps(found[0])[1:-1], without_tokens(line))


def make_values_safe(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Make the strings of a log entry safe, except its traceback.

    A safe string is one line with control characters escaped and tokens replaced. This function is a structlog
    processor for logs that are not JSON.
    """
    for key, value in entry.items():
        if isinstance(value, str) and key not in NOT_TEXT:
            entry[key] = safe_text(value)
    return entry


def indented(render: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """Wrap `render`, a function that writes a traceback, to indent the traceback.

    Both functions take a text stream and an `exc_info` tuple. An indented line cannot look like a log entry.
    """

    def write(out: Any, exc_info: Any) -> None:
        text: list[str] = []
        render(_Lines(text), exc_info)
        lines = "".join(text).rstrip("\n").split("\n")
        out.write("\n".join(f"  | {safe_text(line)}" for line in lines))

    return write


class _Lines:
    """A file-like object whose `write` appends a string to the list `texts`."""

    def __init__(self, texts: list[str]) -> None:
        self.write = texts.append
