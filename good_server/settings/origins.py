"""Checks the allowed origins, and converts them to the browsers' form."""

import ipaddress
import re

from yarl import URL

# every page; and what a browser sends for a page without an origin: a file, a sandboxed frame
ANY, OPAQUE = "*", "null"
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\]")
# a page has the scheme of its address, not that of its connections
NOT_OF_PAGES = {"ws": "its page has http", "wss": "its page has https", "file": f"its page has the origin {OPAQUE}"}
LOCALHOST = "localhost"


def normalise(written: str) -> str:
    """Return an origin in the form that browsers send.

    An example is `https://app.example` (RFC 6454, 6.2). Capitals become small letters, and letters outside of ASCII
    become punycode. A default port and one slash at the end are removed. Raises `ValueError` with one line if no
    browser sends such an origin.
    """
    if written == ANY or written.lower() == OPAQUE:
        return written.lower()
    scheme, separator, rest = written.partition("://")
    scheme, rest = scheme.lower(), rest.removesuffix("/")
    if "@" in rest:
        # not shown, as it may be a password
        raise ValueError("an origin has no user and no password")
    fault = _fault(written, scheme if separator else "", rest)
    if fault:
        raise ValueError(f"{written!r} matches no page: {fault}")
    return _canonical(scheme, rest, written)


def _fault(written: str, scheme: str, rest: str) -> str | None:
    """Return why no page can have the origin `written`. Return None if its form is right.

    `scheme` and `rest` are the parts of the origin before and after `://`.
    """
    if re.search(r"[\"'`]", written):
        return "remove the quotes"
    if re.search(r"[\s;|]", written):
        return "separate origins by commas"
    if not SCHEME.fullmatch(scheme):
        return "it needs its scheme, such as https://app.example"
    if scheme in NOT_OF_PAGES:
        return NOT_OF_PAGES[scheme]
    if "*" in rest:
        return "write each host; * stands only alone"
    if re.search(r"[/?#\\%]", rest):
        return "an origin is a scheme, a host and a port, without a path"
    return None


def _canonical(scheme: str, rest: str, written: str) -> str:
    try:
        url = URL(f"{scheme}://{rest}")
        host = _address(url.raw_host or "")
    except ValueError:
        host = ""
    if not HOST.fullmatch(host) or url.explicit_port == 0:
        raise ValueError(f"{written!r} matches no page: its host or port is not valid")
    port = "" if url.explicit_port is None or url.is_default_port() else f":{url.explicit_port}"
    return f"{scheme}://{host}{port}"


def _address(host: str) -> str:
    """Return a host as browsers write it in an origin.

    Raises `ValueError` for a number like `1.2.3.999`, which is not a valid IP address.
    """
    if ":" in host:
        return f"[{ipaddress.IPv6Address(host)}]"
    is_number = re.fullmatch(r"\d+|0x[0-9a-f]*", host.removesuffix(".").rpartition(".")[2])
    return str(ipaddress.IPv4Address(host)) if is_number else host.lower()


def same_origins(host: str) -> frozenset[str]:
    """Return the http and the https origin of this server itself.

    `host` is the header `Host` of a request. If this header is not valid, the result is empty.
    """
    found = set()
    for scheme in ("http", "https"):
        try:
            found.add(normalise(f"{scheme}://{host}"))
        except ValueError:
            continue
    return frozenset(found)


def is_loopback_origin(origin: str) -> bool:
    """Return whether pages with this origin come from this machine (loopback)."""
    try:
        url = URL(origin) if origin == normalise(origin) and origin.startswith(("http://", "https://")) else URL()
        host = url.raw_host or ""
        return host == LOCALHOST or host.endswith(f".{LOCALHOST}") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
