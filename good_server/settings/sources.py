"""Reads the settings in the environment and in the file `.env`. It also finds unknown names."""

import os
import re
from collections.abc import Collection, Mapping
from difflib import SequenceMatcher
from io import StringIO
from pathlib import Path
from typing import Any

from dotenv.parser import parse_stream

PREFIX = "SERVER_"
ENV_FILE = ".env"
# what Kubernetes sets in every container for a Service called `server` or `server-…`, as Docker's links did
KUBERNETES = re.compile(
    r"SERVER_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
KUBERNETES_PORT = re.compile(r"(tcp|udp|sctp)://")


class SettingsError(Exception):
    """A setting is wrong, so the server cannot start. The message is one line that names the setting."""


def written_settings(env_file: str | os.PathLike[str] | None) -> dict[str, str]:
    """Return the settings in the environment and in a file.

    The keys are names in capitals that start with `SERVER_`. If a setting is in the environment and in the file, the
    value of the environment is used. Empty values are left out. If `env_file` is None or does not exist, only the
    environment is read. Raises `SettingsError` if the file cannot be read.
    """
    file = {} if env_file is None else _read_file(Path(env_file).expanduser())
    own = {name: value for name, value in os.environ.items() if not _is_of_kubernetes(name, value)}
    return _set_ones(file) | _set_ones(own)


def _set_ones(values: Mapping[str, str | None]) -> dict[str, str]:
    # names in capitals come last, and so precede the same names in other letters
    in_order = sorted(values.items(), key=lambda item: item[0].isupper())
    ours = {name.upper(): value or "" for name, value in in_order if name.upper().startswith(PREFIX)}
    return {name: value for name, value in ours.items() if value.strip()}


def _is_of_kubernetes(name: str, value: str) -> bool:
    is_port = name.startswith(PREFIX) and name.endswith("_PORT") and KUBERNETES_PORT.match(value)
    return bool(is_port or KUBERNETES.fullmatch(name))


def _read_file(path: Path) -> dict[str, str | None]:
    """Return all values of a file. If the file does not exist, return an empty dict.

    A text such as `${NAME}` in a value is not replaced, because this text may be part of a secret. Raises
    `SettingsError` if the file cannot be read.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        if path.is_symlink():
            raise SettingsError(f"{path} is a link to a file that does not exist") from None
        return {}
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    bindings = list(parse_stream(StringIO(_decoded(path, raw))))
    for binding in bindings:
        # other programs may read other lines of the same file
        if binding.error and PREFIX in binding.original.string.upper():
            raise SettingsError(f"{path}, line {_line_of(binding.original)}: it must have the form NAME=value")
    return {binding.key: binding.value for binding in bindings if binding.key is not None}


def _decoded(path: Path, raw: bytes) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    # each second byte of UTF-16 is null
    if "\0" in text:
        raise SettingsError(f"{path} is not a text file in UTF-8: save it again with this encoding")
    return text


def _line_of(original: Any) -> int:
    """Return the line number of a mistake in `.env`.

    `original` is the wrong statement, as python-dotenv returns it. Empty lines at its start are skipped.
    """
    text: str = original.string
    return int(original.line) + text[: len(text) - len(text.lstrip())].count("\n")


def unknown_settings(written: Collection[str], known: Collection[str]) -> list[str]:
    """Return one message for each written name that is not a setting.

    `written` are names such as `SERVER_PORT`, and `known` are fields of `Settings` such as `port`. Each message
    names the most similar setting.
    """
    names = {f"{PREFIX}{name.upper()}" for name in known}
    return [f"{name} is not a setting; the nearest is {_nearest(name, names)}" for name in written if name not in names]


def _nearest(name: str, known: Collection[str]) -> str:
    return max(sorted(known), key=lambda each: SequenceMatcher(None, name, each).ratio())
