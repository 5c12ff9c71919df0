"""Cut the code of recipes out of `INTEGRATE.md`. Tests run it as written."""

import re

from .package import FOLDER, PACKAGE, TEMPLATE_NAME

DOCUMENT = FOLDER / "INTEGRATE.md"
HEADING = re.compile(r"(#+) (.+)")
FENCE = re.compile(r"```(\w*)")
# the last name in backticks before a block, as in "New file `shop.py`:"
NAMED = re.compile(r"`([\w./-]+)`[^`]*:$")


class Block:
    """A code block of the document.

    `heading` is the one above it, and `name` is the file that the line above the block names, or None.
    """

    def __init__(self, heading, language, name):
        self.heading, self.language, self.name = heading, language, name
        self.lines = []

    @property
    def code(self):
        return "".join(f"{line}\n" for line in self.lines)


def read(text=None):
    """Return all code blocks of a document, in their order.

    The default is `INTEGRATE.md`. A team that renamed the folder gets the code with its own name.
    """
    text = DOCUMENT.read_text("utf-8") if text is None else text
    heading, before, found, is_open = "", "", [], False
    for line in text.replace(TEMPLATE_NAME, PACKAGE).splitlines():
        fence = FENCE.match(line)
        if is_open and not fence:
            found[-1].lines.append(line)
        elif is_open:
            is_open, before = False, ""
        elif fence:
            named = NAMED.search(before)
            found.append(Block(heading, fence[1], named[1] if named else None))
            is_open = True
        elif match := HEADING.fullmatch(line):
            heading, before = match[2], ""
        elif line.strip():
            before = line.strip()
    return found


def blocks(heading, language=None):
    """Return the code of each block directly below the heading `heading`.

    With a `language`, such as `python`, only blocks of this language are returned.
    """
    found = [block for block in read() if block.heading == heading and language in (None, block.language)]
    assert found, f"INTEGRATE.md has no {language or 'code'} below {heading!r}"
    return [block.code for block in found]


def files(heading):
    """Return the files below a heading, as `{name: code}`.

    The line above a block names its file, as in "New file `shop.py`:".
    """
    found = {block.name: block.code for block in read() if block.heading == heading and block.name}
    assert found, f"INTEGRATE.md names no file below {heading!r}"
    return found


def write(heading, folder):
    """Write the files below a heading into `folder`."""
    for name, code in files(heading).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code, "utf-8")


def settings(heading):
    """Return the settings of a `.env` block, as `{"jwt_type": "JWT"}`."""
    lines = [line for line in files(heading)[".env"].splitlines() if line and not line.startswith("#")]
    pairs = [line.partition("=") for line in lines]
    return {name.removeprefix("SERVER_").lower(): value for name, _, value in pairs}
