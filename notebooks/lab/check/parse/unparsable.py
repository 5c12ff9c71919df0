"""The error of all parsers."""


class Unparsable(Exception):
    """A text that is not valid in its language. The message is one line, such as `line 3: invalid syntax`."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        """Keep the reason, and the line where it is known. Both are in the message."""
        self.reason = " ".join(reason.split()) or "invalid syntax"
        self.line = line
        super().__init__(f"line {line}: {self.reason}" if line else self.reason)
