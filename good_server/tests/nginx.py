"""Run a real nginx with the deployed configuration."""

import asyncio
from contextlib import asynccontextmanager

from .package import FOLDER
from .ports import is_open, lasting_port
from .programs import installed
from .waiting import PROCESS_SECONDS

NGINX = FOLDER / "deploy" / "nginx.conf"
UPSTREAMS = ("127.0.0.1:8000", "127.0.0.1:8001")
LISTEN = "listen 8080;"
LIMIT = "rate=20r/s"


def configuration(port, addresses, limit=LIMIT, changes=None):
    """Return the deployed nginx configuration with this port and these servers.

    `changes` are further parts to replace, as `{old: new}`. Fails when a part that it replaces is not in the file
    exactly once.
    """
    words = NGINX.read_text()
    own = {LISTEN: f"listen 127.0.0.1:{port};", LIMIT: limit}
    own |= {f"server {old}": f"server {new}" for old, new in zip(UPSTREAMS, addresses, strict=True)}
    own |= changes or {}
    for old, new in own.items():
        assert words.count(old) == 1, old
        words = words.replace(old, new)
    return words


@asynccontextmanager
async def proxied(folder, urls, limit=LIMIT, changes=None):
    """Run nginx in front of these servers, and yield its URL."""
    program = installed("nginx")
    port, file, log = lasting_port(), folder / "nginx.conf", folder / "nginx.log"
    file.write_text(configuration(port, [url.removeprefix("http://") for url in urls], limit, changes))
    command = [program, "-p", str(folder), "-c", str(file), "-e", "stderr", "-g", "daemon off;"]
    with log.open("w") as output:
        process = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=output)
    try:
        async with asyncio.timeout(PROCESS_SECONDS):
            while not is_open(port):
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0.005)
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), PROCESS_SECONDS)
