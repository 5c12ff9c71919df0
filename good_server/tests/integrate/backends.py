"""Run the back end of a recipe in its own process."""

import asyncio
import os
import sys
from contextlib import asynccontextmanager

import pytest

from .. import recipes
from ..package import IMPORT_FOLDER
from ..ports import is_open, lasting_port
from ..server_processes import kill
from ..waiting import PROCESS_SECONDS, until


def require(*modules):
    """Skip the test when a framework is not installed. In CI, fail.

    `pip install -r requirements-recipes.txt` installs all of them.
    """
    for module in modules:
        try:
            __import__(module)
        except ImportError:
            message = (
                f"{module} is not installed: pip install -r {recipes.DOCUMENT.parent.name}/requirements-recipes.txt"
            )
            (pytest.fail if os.environ.get("CI") else pytest.skip)(message)


@asynccontextmanager
async def program(folder, *arguments, **variables):
    """Run `python -m …` in `folder` until the block ends.

    `variables` are environment variables."""
    log = folder / f"{arguments[0].replace('.', '-')}.log"
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{IMPORT_FOLDER}"} | variables
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *arguments, cwd=folder, env=environment, stdout=output, stderr=output
        )
    process.log = log
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), PROCESS_SECONDS)
            finally:
                await kill(process)


@asynccontextmanager
async def web(folder, *arguments, port=None, **variables):
    """Run a web framework, and yield its URL.

    Its port is open then. `{port}` in an argument becomes a free port.
    """
    port = port or lasting_port()
    given = [argument.format(port=port) for argument in arguments]
    async with program(folder, *given, **variables) as process:
        await until(lambda: is_open(port) or process.returncode is not None, PROCESS_SECONDS)
        assert process.returncode is None, process.log.read_text()[-2000:]
        yield f"http://127.0.0.1:{port}"


async def run(folder, *command, **variables):
    """Run a command until it ends, and return what it printed. It must succeed."""
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{IMPORT_FOLDER}"} | variables
    pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.STDOUT}
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, env=environment, **pipes)
    try:
        printed, _ = await asyncio.wait_for(process.communicate(), PROCESS_SECONDS)
    finally:
        await kill(process)
    assert process.returncode == 0, printed.decode()
    return printed.decode()
