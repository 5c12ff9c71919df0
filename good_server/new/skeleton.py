"""Makes the files of a product skeleton from this template.

A skeleton is the start of a new product: a copy of this server with the product's own names and example events.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .edits import EditError, filled
from .names import Names
from .table import ADDED, DEPLOY, LEFT_OUT, LICENSES, RENAMED, RENAMED_IN_DEPLOY, TEMPLATE_NAME, edits

TEMPLATE = Path(__file__).resolve().parents[1]
TEXTS = TEMPLATE / "new" / "files"
# files that a run leaves behind, and a developer's own settings
UNWANTED = {"__pycache__", "node_modules", ".env", ".hypothesis", ".pytest_cache", ".mypy_cache", ".ruff_cache"}
LAYERS = re.compile(r"^\| layer \|.*?(?=\n\n)", re.MULTILINE | re.DOTALL)
VERSION = re.compile(r"^__version__ = \"([^\"]+)\"", re.MULTILINE)
# this section of the README has an example that a test of the core runs
ERRORS = re.compile(r"^### Unexpected errors.*?(?=^##)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Product:
    """The names and license for a new product's copy of this server.

    The file `.skeleton.json` in the copy stores this data, so that the command `new --diff` can make the copy again.
    """

    names: Names
    license: str
    owner: str
    year: int


def template_version() -> str:
    """Return the version of this server, which is the template of skeletons."""
    found = VERSION.search((TEMPLATE / "__init__.py").read_text("utf-8"))
    return found[1] if found else "unknown"


def make_files(product: Product) -> dict[str, bytes]:
    """Return the content of each file of a new product, by path.

    Most files are copies of this server's files, with the names of `product`. A path is relative to the product's
    folder. Raises `EditError` if a change that `table.py` lists cannot be made.
    """
    values = values_of(product)
    files = {f"{product.names.name}/{path}": content for path, content in _package(values)}
    texts = dict(ADDED)
    if (text := LICENSES[product.license]) is not None:
        texts[text] = "LICENSE"
    for text, place in texts.items():
        files[filled(place, values | {"package": values["name"]})] = filled(_text(text), values).encode()
    return dict(sorted(files.items()))


def _package(values: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """Yield the path and content of each file of a new package.

    The package is a copy of this server's package with the product's names, which are in `values`. A path is relative
    to the folder of the package.
    """
    changes = edits(values, filled(_text("events.py.txt"), values))
    missing = set(changes)
    for path in sorted(TEMPLATE.rglob("*")):
        inside = path.relative_to(TEMPLATE)
        if not path.is_file() or UNWANTED & set(inside.parts) or _is_left_out(inside.as_posix()):
            continue
        missing.discard(inside.as_posix())
        content = path.read_bytes()
        try:
            text = content.decode()
        except UnicodeDecodeError:
            yield inside.as_posix(), content
            continue
        for edit in changes.get(inside.as_posix(), ()):
            try:
                text = edit(text)
            except EditError as error:
                raise EditError(f"{inside.as_posix()}: {error}") from None
        yield renamed(inside.as_posix(), "", values), renamed(text, inside.as_posix(), values).encode()
    if missing:
        raise EditError(f"the template has no {', '.join(sorted(missing))}")


def _is_left_out(path: str) -> bool:
    return any(path == out or (out.endswith("/") and path.startswith(out)) for out in LEFT_OUT)


def renamed(text: str, inside: str, values: Mapping[str, str]) -> str:
    """Replace the template's names in `text` by the product's names.

    One of the template's names is `good_server`. `values` has the product's names. `text` is the content of the
    template file at the path `inside`. If `text` is itself a path, `inside` is empty.
    """
    names = RENAMED | (RENAMED_IN_DEPLOY if inside.startswith(DEPLOY) else {})
    # in one pass, as the name of a product may contain one of the old names
    return re.sub("|".join(names), lambda old: filled(names[old[0]], values), text)


def _text(name: str) -> str:
    return (TEXTS / name).read_text("utf-8")


def values_of(product: Product) -> dict[str, str]:
    """Return the text that replaces each placeholder in a product's files.

    Each key is the name of a placeholder, such as `topic` for `@topic@`.
    """
    name, roles, topic = product.names
    role, last = roles[0], roles[-1]
    handlers = sorted([f"{topic}_notes", f"{role}_status", "reports", "rooms", "session"])
    return {
        "name": name,
        "dash": name.replace("_", "-"),
        "Title": name.replace("_", " ").capitalize(),
        "topic": topic,
        "topic_words": topic.replace("_", " "),
        "Topic": _class(topic),
        "TOPIC": topic.upper(),
        "role": role,
        "Role": _class(role),
        "ROLE": role.upper(),
        "last_role": last,
        "LAST_ROLE": last.upper(),
        "role_list": ", ".join(f"`{each}`" for each in roles),
        "role_members": "".join(f'    {each.upper()} = "{each}"\n' for each in roles),
        "handlers": ", ".join(handlers),
        "layers": _part_of_readme(LAYERS),
        "errors": _part_of_readme(ERRORS).replace(TEMPLATE_NAME, name),
        "template": TEMPLATE_NAME,
        "owner": product.owner,
        "year": str(product.year),
    }


def _class(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _part_of_readme(pattern: re.Pattern[str]) -> str:
    found = pattern.search((TEMPLATE / "README.md").read_text("utf-8"))
    if found is None:
        raise EditError(f"README.md has no text like {pattern.pattern}")
    return found[0].strip()
