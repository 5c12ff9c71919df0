"""Finds which file a JavaScript, TypeScript or Python import loads."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

# what an import of JavaScript or TypeScript may leave out
ENDINGS = ("", ".js", ".ts", ".mjs", ".cjs", ".tsx", ".jsx", ".mts", ".cts", "/index.js", "/index.ts", "/index.mjs")
# other names of the root, which bundlers and TypeScript's `paths` know: "@/io", "~/io", "#/io", "@app/io", "src/io"
FROM_ROOT = re.compile(r"(@|~|src|#)/|@\w+/|src/")
ROOT_SIGN = re.compile(r"^(@|~|#)/")


def candidates(path: str, source: str, language: str) -> Iterator[str]:
    """Yield the possible paths of an imported file, likely paths first.

    `path` is the path of the file that has the import. `source` is the imported module as written in the import.
    `language` is the language of the file that has the import: "js", "ts" or "py".
    """
    folder = PurePosixPath(path).parent
    if language == "py":
        yield from _of_python(folder, source)
    elif source.startswith("."):
        yield from _with_endings(_joined(folder, source))
    elif FROM_ROOT.match(source):
        tail = ROOT_SIGN.sub("", source)
        # "@app/io" is mostly the folder "app"
        tails = [tail, tail.removeprefix("@")] if tail.startswith("@") else [tail]
        for root in (folder, *folder.parents):
            for below in tails:
                yield from _with_endings(_joined(root, below))
                yield from _with_endings(_joined(root / "src", below))


def _of_python(folder: PurePosixPath, source: str) -> Iterator[str]:
    dots = len(source) - len(source.lstrip("."))
    parts = [part for part in source.split(".") if part]
    if dots:
        above = dots - 2
        roots = [folder.parents[above] if 0 <= above < len(folder.parents) else folder]
    else:
        roots = [*reversed(folder.parents), folder]
    for root in roots:
        base = "/".join([*([] if str(root) == "." else [str(root)]), *parts])
        yield f"{base}.py"
        yield f"{base}/__init__.py".lstrip("/")


def _joined(folder: PurePosixPath, source: str) -> str:
    parts = [part for part in folder.parts if part != "."]
    for part in source.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _with_endings(base: str) -> Iterator[str]:
    for ending in ENDINGS:
        yield base + ending
    # TypeScript names the compiled file
    if base.endswith(".js"):
        yield from (base.removesuffix(".js") + ending for ending in (".ts", ".tsx"))
