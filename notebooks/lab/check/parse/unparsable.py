"""The error that parsers raise for text they cannot parse."""


class Unparsable(Exception):
    """The error for a text that a parser cannot parse.

    Its message is one line, such as `line 3: invalid syntax`.
    """

    def __init__(self, reason: str, line: int | None = None) -> None:
        """Store the reason and, if it is known, the line number.

        The message of the error has the reason and, if it is known, the line.
        """
        self.reason = " ".join(reason.split()) or "invalid syntax"
        self.line = line
        super().__init__(f"line {line}: {self.reason}" if line else self.reason)
