"""Writes product skeletons into folders, and compares skeletons with the template.

A skeleton is the start of a new product: a copy of this server, the template, with the product's own names.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from difflib import unified_diff
from pathlib import Path
from typing import Any

from .names import Names, NewError
from .skeleton import Product, make_files, template_version

MANIFEST = ".skeleton.json"


def write(folder: Path, product: Product) -> int:
    """Write a product skeleton into a new or empty folder. Return the number of its files.

    A skeleton is a copy of this server with the names of `product`. The number does not include the file `MANIFEST`,
    which describes the skeleton. If an error occurs, all written files are removed. Raises `NewError` if the folder is
    not empty or not writable.
    """
    try:
        if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
            raise NewError(f"{folder} is not empty")
        files = make_files(product)
        was_there = folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NewError(f"{folder}: {error.strerror or error}") from None
    try:
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        (folder / MANIFEST).write_text(_manifest(product, files), "utf-8")
    except BaseException as error:
        _remove(folder, keep=was_there)
        if isinstance(error, OSError):
            raise NewError(f"{folder}: {error.strerror or error}") from None
        raise
    return len(files)


def _remove(folder: Path, *, keep: bool) -> None:
    """Remove all files of `folder`. Remove the folder too if `keep` is false."""
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in folder.iterdir():
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()


def _manifest(product: Product, files: Mapping[str, bytes]) -> str:
    hashes = {path: _hash(content) for path, content in files.items()}
    about = {"template": template_version(), **product.names._asdict(), "license": product.license}
    about |= {"owner": product.owner, "year": product.year, "files": hashes}
    return json.dumps(about, indent=1) + "\n"


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read_manifest(folder: Path) -> tuple[Product, dict[str, str], str]:
    path = folder / MANIFEST
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        names = Names(found["name"], tuple(found["roles"]), found["topic"])
        product = Product(names, found["license"], found["owner"], found["year"])
        return product, dict(found["files"]), str(found["template"])
    except OSError as error:
        raise NewError(f"{path}: {error.strerror}: --diff needs a folder that `new` made") from None
    except (ValueError, LookupError, TypeError):
        raise NewError(f"{path} is not the manifest of a skeleton") from None


def differences(folder: Path) -> Iterator[str]:
    """Yield the lines of a patch that updates a skeleton.

    The skeleton in `folder` is a copy of this server, the template, that the command `new` wrote. The patch makes the
    changes that the template has had since then, but only in files that nobody has edited in `folder`. For an edited
    file that these changes concern, the patch has only a comment. The commands `git apply` and `patch -p1` accept the
    output. Raises `NewError` if `folder` has no skeleton.
    """
    product, before, old_version = _read_manifest(folder)
    after = make_files(product)
    yield f"# made by template {old_version}, compared with template {template_version()}"
    for path in sorted(before.keys() | after.keys()):
        new = after.get(path)
        if new is not None and before.get(path) == _hash(new):
            continue
        file = folder / path
        now = file.read_bytes() if file.is_file() else None
        if now == new:
            continue
        if path in before and (now is None or _hash(now) != before[path]):
            how = "deleted" if now is None else "edited"
            yield f"# {path}: changed in the template and {how} here; merge it by hand"
        elif path not in before and now is not None:
            yield f"# {path}: new in the template, and this folder has another file of this name"
        else:
            yield from _patch(path, now, new)


def _patch(path: str, now: bytes | None, new: bytes | None) -> Iterator[str]:
    try:
        old_lines, new_lines = ([] if side is None else side.decode().splitlines() for side in (now, new))
    except UnicodeDecodeError:
        yield f"# {path}: a binary file has changed in the template"
        return
    old_name, new_name = ("/dev/null" if now is None else f"a/{path}"), ("/dev/null" if new is None else f"b/{path}")
    yield from unified_diff(old_lines, new_lines, old_name, new_name, lineterm="")
