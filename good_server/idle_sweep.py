"""The sweep regularly closes lost, idle and expired connections."""

import asyncio
import contextlib
from typing import Any

from .admission import age_seconds, close_transport, is_closing
from .app import Application
from .close_reasons import CloseReason
from .events import AuthExpiring
from .gateway import STATE
from .observability import log

SWEEP_SECONDS = 0.5
# connections that are checked in a row, before the event loop may do something else
SWEEP_BATCH = 500
# the library takes a lost connection out of its rooms, then may wait without end for its send queue
DROP_SECONDS = 0.5


async def sweep_forever(application: Application) -> None:
    """Call `sweep` regularly, until this task is cancelled."""
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        application.guards.rates.sweep()
        application.guards.cluster.counts.renew_lease()
        await sweep(application)


async def sweep(application: Application) -> None:
    """Check every connection once. Close it if it is lost, sent no valid token in time, or its token expired."""
    eio = application.sio.eio
    lost = []
    for number, (connection, environ) in enumerate(list(application.sio.environ.items())):
        if number % SWEEP_BATCH == SWEEP_BATCH - 1:
            await asyncio.sleep(0)
        if is_closing(environ):
            lost.append(connection)
            continue
        try:
            session = await eio.get_session(connection)
        except KeyError:
            continue
        await _check(application, connection, environ, session)
    # the library's reader of a lost connection may have ended silently
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DROP_SECONDS):
            await asyncio.gather(*(eio.disconnect(connection) for connection in lost))


async def _check(application: Application, connection: str, environ: dict[str, Any], session: dict[str, Any]) -> None:
    settings, sid_of = application.settings, application.sio.manager.sid_from_eio_sid
    gateway = next((gateway for gateway in application.gateways if STATE in session.get(gateway.namespace, {})), None)
    if gateway is None:
        # a running token check has its own deadline, and its refusal says why
        is_checked = any(sid_of(connection, gateway.namespace) for gateway in application.gateways)
        if age_seconds(environ) > settings.handshake_seconds and not is_checked:
            close_transport(environ)
        return
    state = session[gateway.namespace][STATE]
    left = state.identity.expires_at - application.clock()
    if left < -settings.expiry_grace_seconds:
        log.info("expired", user=state.identity.user)
        close_transport(environ, CloseReason.EXPIRED)
    elif left < settings.expiry_notice_seconds and not state.was_warned:
        state.was_warned = True
        expiring = AuthExpiring(expires_in=max(0.0, round(left, 3)))
        await gateway.send_to_socket(expiring, sid_of(connection, gateway.namespace))
