"""A Socket.IO server for teams to copy. It sends messages to rooms, not to socket ids."""

import sys

__version__ = "0.1.0"

# This file runs before every other one, and an old Python can read it, too. With a newer Python only the command ends,
# not a program that imports the package: `python -m` keeps `-m` as its first argument until it has found the module.
if sys.version_info < (3, 11) or (sys.version_info >= (3, 15) and sys.argv[:1] == ["-m"]):
    line = "{}: Python {}.{} is not supported; it needs 3.11 to 3.14\n"
    sys.stderr.write(line.format(__name__, *sys.version_info))
    sys.exit(2)
