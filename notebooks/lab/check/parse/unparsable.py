"""The error that parsers raise for text they cannot parse."""


class Unparsable(Exception):
    """The error for a text that a parser cannot parse.

    Its message is one line, such as `line 3: invalid syntax`.
    """

    def __init__(self, reason: str, line: int | None = None) -> None:
        """Make the message from the reason and, if given, the line number."""
        self.reason = " ".join(reason.split()) or "invalid syntax"
        self.line = line
        super().__init__(f"line {line}: {self.reason}" if line else self.reason)
