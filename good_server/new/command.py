"""Command `new`: writes a product skeleton, or compares one with the template.

A skeleton is the start of a new product: a copy of this server, the template, with the product's own names.
"""

import argparse
import datetime
from pathlib import Path
from typing import Any

from .edits import EditError
from .folder import differences, write
from .names import NewError, checked_names
from .skeleton import Product
from .table import LICENSES

EXAMPLE = "realtime --name realtime --roles customer,courier,dispatcher --topic order"


def add_parser(commands: "argparse._SubParsersAction[Any]", command: str) -> None:
    """Add the command `new` to the command line of the server.

    `command` is the text that starts the server, such as `python -m good_server`. The help of `new` shows it.
    """
    parser = commands.add_parser(
        "new",
        help="write a product skeleton into an empty folder, or show what this template changes in one",
        epilog=f"example: {command} new {EXAMPLE}",
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="a new or empty folder; with --diff: a skeleton")
    parser.add_argument("--name", help="the name of the package, its units, its issuer and its prefix in Redis")
    parser.add_argument("--roles", help="the roles of users, separated by commas")
    parser.add_argument("--topic", help="what rooms are about, such as order")
    license_help = "the license of the skeleton (proprietary); the template's own part stays under its license"
    parser.add_argument("--license", choices=sorted(LICENSES), help=license_help)
    parser.add_argument("--owner", help="the owner named in the license (the authors of NAME)")
    parser.add_argument("--diff", action="store_true", help="print what this template changes, as a patch")


def run(options: argparse.Namespace) -> str:
    """Run the command `new`, and return the text to print.

    The command writes a product skeleton: a copy of this server, the template, with the product's own names. With
    `--diff`, it compares a skeleton with this template instead. Raises `NewError` if the command fails.
    """
    try:
        if options.diff:
            return _compare(options)
        return _create(options)
    except EditError as error:
        raise NewError(f"this template has been edited: {error}") from None


def _create(options: argparse.Namespace) -> str:
    missing = [option for option in ("name", "roles", "topic") if getattr(options, option) is None]
    if missing:
        raise NewError(f"new needs --{missing[0]}; see --help")
    names = checked_names(options.name, options.roles, options.topic)
    owner = options.owner if options.owner is not None else f"the authors of {names.name}"
    if not owner.strip() or not owner.isprintable():
        raise NewError("--owner must be one line of text")
    year = datetime.datetime.now(datetime.UTC).year
    product = Product(names, options.license or "proprietary", owner.strip(), year)
    count = write(options.folder, product)
    return f"{count} files in {options.folder}; next, in it: pip install -r requirements-test.txt && pytest"


def _compare(options: argparse.Namespace) -> str:
    if any(getattr(options, option) is not None for option in ("name", "roles", "topic", "license", "owner")):
        raise NewError("--diff takes only the folder: the manifest has the other options")
    return "\n".join(differences(options.folder))
