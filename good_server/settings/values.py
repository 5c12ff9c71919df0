"""Types of settings: lists, numbers, paths, origins."""

import json
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from .keys import with_line_breaks
from .origins import normalise

# not `.` or `..`: clients resolve them away
PATH_PART = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._~-]+")


def _listed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [part.strip() for part in value.split(",") if part.strip()]


def _headers(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("{"):
        return tuple(json.loads(value).items())
    lines = [line.partition(":") for line in value.split(",") if line.strip()]
    return tuple((name.strip(), content.strip()) for name, _, content in lines)


def _pairs(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("{"):
        return tuple(json.loads(value).items())
    # the value of a claim may have colons itself, as a URN has
    lines = [line.rpartition(":") for line in value.split(",") if line.strip()]
    return tuple((left.strip(), right.strip()) for left, _, right in lines)


def _checked_pairs(pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    if not all(left and right for left, right in pairs):
        raise ValueError("must be pairs like manager:admin, separated by commas")
    if len(dict(pairs)) < len(pairs):
        raise ValueError("names a value twice")
    return pairs


def _url_path(value: str) -> str:
    """Return a URL path with a slash at both ends.

    Raises `ValueError` if a part of the path is empty, `.` or `..`, or has other characters than letters, digits and
    `-._~`. Also raises it for `/healthz`, the path of the health check.
    """
    parts = value.strip("/").split("/")
    if "//" in value or not all(PATH_PART.fullmatch(part) for part in parts) or parts == ["healthz"]:
        raise ValueError("must be a path such as /socket.io/, of letters, digits and - . _ ~")
    return f"/{'/'.join(parts)}/"


def _origins(written: tuple[str, ...]) -> tuple[str, ...]:
    """Return the origins as browsers send them, without duplicates."""
    return tuple(dict.fromkeys(map(normalise, written)))


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
SomeWords = Annotated[Words, Field(min_length=1)]
Origins = Annotated[Words, AfterValidator(_origins)]
UrlPath = Annotated[str, AfterValidator(_url_path)]
PublicKey = Annotated[str, AfterValidator(with_line_breaks)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
# a name is a token of RFC 9110, 5.6.2
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]
Headers = Annotated[tuple[tuple[HeaderName, SecretStr], ...], NoDecode, BeforeValidator(_headers)]
# `manager:admin,courier:driver`
Pairs = Annotated[tuple[tuple[str, str], ...], NoDecode, BeforeValidator(_pairs), AfterValidator(_checked_pairs)]
