"""The name and the folder of the server package under test.

A team may rename the folder, so no other test file contains its name.
"""

from pathlib import Path

PACKAGE = __package__.rpartition(".")[0]
# as the documents call it
TEMPLATE_NAME = "good_server"
FOLDER = Path(__file__).resolve().parents[1]
# the folder that Python imports the package from
IMPORT_FOLDER = FOLDER.parents[PACKAGE.count(".")]
# the arguments of Python that run the server
SERVER = ("-m", PACKAGE)


def has_part(name):
    """Return whether the folder of this optional part still exists."""
    return (FOLDER / name).is_dir()


def child_program(name, *arguments):
    """Return the Python arguments that run a child program.

    `name` is its module in `tests`, such as `heap_server`.
    """
    return ("-m", __package__, name, *arguments)
