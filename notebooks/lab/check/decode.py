"""Decodes the bytes of source files to text."""

import codecs
import io
import tokenize

# the longest byte order marks first: that of UTF-32 begins with that of UTF-16
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decoded(content: bytes, grammar: str) -> str:
    """Return the text of a source file, without a byte order mark.

    `grammar` is "py" for Python, whose files may declare an encoding. Raises `ValueError` for a binary file, and
    `SyntaxError` or `LookupError` for an unknown encoding.
    """
    for mark, encoding in MARKS:
        if content.startswith(mark):
            return content.decode(encoding)
    if b"\0" in content:
        raise ValueError("it is a binary file")
    try:
        return content.decode(_declared_encoding(content) if grammar == "py" else "utf-8")
    except UnicodeError:
        # each byte is a letter: whatever the encoding is, the code is ASCII nearly always
        return content.decode("latin-1")


def _declared_encoding(content: bytes) -> str:
    """Return the encoding that a Python file declares (PEP 263).

    Without a declaration, the result is "utf-8", or "latin-1" if the first lines are not UTF-8. Raises `SyntaxError`
    for an unknown encoding.
    """
    try:
        return tokenize.detect_encoding(io.BytesIO(content).readline)[0]
    except SyntaxError as error:
        if "unknown encoding" in str(error):
            raise
        # the first lines are not UTF-8
        return "latin-1"
