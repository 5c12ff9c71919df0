"""The command `publish`: sends an event to rooms from the command line.

If `SERVER_REDIS_URL` is set, the event reaches all servers through Redis. Otherwise the command sends it to the
internal port (the HTTP port for back ends) of a server on this machine.
"""

import argparse
import json
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from .errors import Invalid, UnknownEvent
from .events import Message
from .orders import checked_message, checked_target, read_message
from .publish import PublishError, SyncPublisher
from .settings import Settings, SettingsError

# the longest wait for the server's answer
ANSWER_SECONDS = 10.0
# addresses to listen on that are no addresses to connect to
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing listens here


def publish(settings: Settings, options: argparse.Namespace) -> str:
    """Send one message to rooms, and return a one-line confirmation.

    `options` has `event` (the name), `data` (a JSON object as text) and `to` (a list of rooms). Raises `SettingsError`
    with a one-line text if an option is wrong, or if no server receives the message.
    """
    data = _json_object(options.data)
    try:
        message = read_message(options.event, data)
        checked_message(message)
    except UnknownEvent as refusal:
        raise SettingsError(f"--event: {refusal}") from None
    except Invalid as refusal:
        raise SettingsError(f"--data: {refusal.field}: {refusal}") from None
    except ValueError as error:
        raise SettingsError(f"--data: {error}") from None
    try:
        rooms = checked_target(options.to)
    except ValueError as error:
        raise SettingsError(f"--to: {error}") from None
    if settings.redis_url is not None:
        return _publish_to_redis(settings, message, rooms)
    _post(settings, {"event": options.event, "data": data, "to": rooms})
    return "published through the internal port"


def _json_object(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise SettingsError("--data must be JSON") from None
    if not isinstance(data, dict):
        raise SettingsError("--data must be a JSON object")
    return data


def _publish_to_redis(settings: Settings, message: Message, rooms: list[str]) -> str:
    address = settings.redis_url.get_secret_value() if settings.redis_url is not None else ""
    try:
        with SyncPublisher(address, prefix=settings.redis_prefix) as publisher:
            count = publisher.publish(message, to=rooms)
    except (PublishError, ValueError) as error:
        raise SettingsError(f"SERVER_REDIS_URL: {error}") from None
    if not count:
        raise SettingsError(f"no server with the prefix {settings.redis_prefix} listens to this Redis")
    return f"published to {count} server {'process' if count == 1 else 'processes'}"


def _post(settings: Settings, order: dict[str, Any]) -> None:
    if settings.publish_token is None:
        raise SettingsError("SERVER_PUBLISH_TOKEN is missing: the internal port needs it, or set SERVER_REDIS_URL")
    host = ANY_ADDRESS.get(settings.internal_host, settings.internal_host)
    place = f"http://{f'[{host}]' if ':' in host else host}:{settings.internal_port}"
    headers = {
        "Authorization": f"Bearer {settings.publish_token.get_secret_value()}",
        "Content-Type": "application/json",
    }
    request = Request(f"{place}/publish", json.dumps(order).encode(), headers)  # noqa: S310 - http only
    try:
        # not through a proxy of the environment, which would get the token
        with build_opener(ProxyHandler({})).open(request, timeout=ANSWER_SECONDS):
            return
    except HTTPError as error:
        raise SettingsError(_reason(error)) from None
    except (URLError, OSError) as error:
        cause = getattr(error, "reason", error)
        raise SettingsError(f"no server at {place}: {getattr(cause, 'strerror', None) or cause}") from None


def _reason(error: HTTPError) -> str:
    if error.code == 401:
        return "SERVER_PUBLISH_TOKEN is not the token of the server"
    if error.code == 404:
        return "the server takes no messages: its SERVER_PUBLISH_TOKEN is not set"
    try:
        return f"the server refused the message: {json.loads(error.read())['error']['message']}"
    except (OSError, ValueError, LookupError, TypeError):
        return f"the server answered with status {error.code}"
