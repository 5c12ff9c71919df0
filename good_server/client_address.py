"""The IP address of a client, for the limits per address."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from aiohttp import web


class ClientAddresses:
    """Finds the address of a client, also behind trusted proxies."""

    def __init__(self, trusted_proxies: Sequence[str]) -> None:
        self._proxies = [ipaddress.ip_network(proxy, strict=False) for proxy in trusted_proxies]

    def of_request(self, request: web.BaseRequest) -> str:
        """Return the address of the client that sent this request.

        The result is the address of the TCP peer. If the peer is a trusted proxy, the result is the last address in
        `X-Forwarded-For` that does not belong to a trusted proxy. An IPv6 address is replaced by its /64 network.
        """
        address = _canonical(request.remote or "") or ""
        # a proxy may add a second header instead of extending the first: join all of them, in order
        named = ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")
        hops = [hop.strip() for hop in named if hop.strip()]
        while hops and self._is_proxy(address) and (before := _canonical(hops.pop())) is not None:
            address = before
        return _network(address)

    def of_peer(self, peer: str) -> str | None:
        """Return the client's address, or None if `peer` is a trusted proxy.

        `peer` is the IP address at the other end of a TCP connection. For IPv6, the /64 network is returned.
        """
        address = _canonical(peer) or ""
        return None if self._is_proxy(address) else _network(address)

    def _is_proxy(self, address: str) -> bool:
        return bool(address) and any(ipaddress.ip_address(address) in network for network in self._proxies)


def _network(address: str) -> str:
    # a client with one IPv6 address can use all 2**64 addresses of its network (RFC 4291, 2.5.4)
    return str(ipaddress.ip_network((address, 64), strict=False)) if ":" in address else address


# each connection asks at its accept, and again at its request
@lru_cache
def _canonical(written: str) -> str | None:
    """Return the IP address in `written`, without port, brackets or zone. Return None if the text has no address."""
    host = written.removeprefix("[").partition("]")[0] if written.startswith("[") else written
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)
