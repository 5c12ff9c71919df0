"""Checks the package name, roles and topic given to the command `new`."""

import keyword
import re
import sys
from importlib.metadata import packages_distributions
from typing import NamedTuple

# lower case: a name becomes a package, a unit, a part of an event and, in other cases, a class and a constant
FORM = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
MOST_LETTERS = 30
# a role for which the example event is, and one that receives it
FEWEST_ROLES, MOST_ROLES = 2, 32
# the tests of a skeleton are a package of their own
RESERVED_NAMES = frozenset({"tests", "conftest", "setup"})
# the rooms that the server fills have these names
RESERVED_TOPICS = frozenset({"user", "role", "company"})


class NewError(ValueError):
    """Raised when the command `new` fails. The message has one line."""


class Names(NamedTuple):
    """The checked names of a product.

    `name` is the name of the package, and `roles` are the roles of users. `topic` is the subject of the product's
    rooms: with `order`, a room is `order:17`.
    """

    name: str
    roles: tuple[str, ...]
    topic: str


def checked_names(name: str, roles: str, topic: str) -> Names:
    """Check the names given to the command `new`, and return them.

    `name` is the name of the package. `roles` has the roles of users, separated by commas. `topic` is the subject of
    the product's rooms. Raises `NewError` for the first name that cannot be used.
    """
    _check_package(name)
    found = tuple(role.strip() for role in roles.split(","))
    for role in found:
        _check_form("--roles", role)
    if len(set(found)) < len(found):
        raise NewError("--roles names a role twice")
    if not FEWEST_ROLES <= len(found) <= MOST_ROLES:
        raise NewError(f"--roles needs {FEWEST_ROLES} to {MOST_ROLES} roles, separated by commas")
    _check_form("--topic", topic)
    if topic in RESERVED_TOPICS:
        raise NewError(f"--topic {topic}: the server fills rooms of this name itself")
    if topic in found:
        raise NewError(f"--topic {topic}: a role has the same name")
    return Names(name, found, topic)


def _check_package(name: str) -> None:
    _check_form("--name", name)
    if name in RESERVED_NAMES:
        raise NewError(f"--name {name}: this name is reserved")
    if name in sys.stdlib_module_names:
        raise NewError(f"--name {name}: a module of Python's standard library has this name")
    if name in packages_distributions():
        raise NewError(f"--name {name}: an installed package has this name")


def _check_form(option: str, name: str) -> None:
    if not FORM.fullmatch(name) or len(name) > MOST_LETTERS:
        raise NewError(f"{option} {name!r}: a name is 1 to {MOST_LETTERS} of a-z, 0-9 and _, and starts with a letter")
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise NewError(f"{option} {name}: this is a keyword of Python")
