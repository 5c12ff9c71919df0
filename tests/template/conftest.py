"""Makes copies of the template, as a team would make them."""

import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

import good_server

TEMPLATE = Path(good_server.__file__).parent
WAIT_SECONDS = 30
# the folder of tests of a part, where it has another name: tests/recipes.py is a module
TESTS_OF = {"recipes": "chat_recipes"}
# more processes than cores, as many tests wait for a timer or a process
IN_PARALLEL = ("-n", "4", "--dist", "loadfile")
# variables of this test run that a copy's tests must not see
OURS = re.compile(r"SERVER_|PYTEST_|COV_CORE_|PYTHONPATH")


class Copy:
    """A copy of the template in a folder of its own."""

    def __init__(self, folder, name):
        self.folder, self.name, self.package, self.python = folder, name, folder / name, sys.executable
        shutil.copytree(TEMPLATE, self.package, ignore=shutil.ignore_patterns("__pycache__", ".env"))

    def delete(self, *parts):
        """Delete optional parts of the copy, each with its folder of tests."""
        for part in parts:
            shutil.rmtree(self.package / part)
            shutil.rmtree(self.package / "tests" / TESTS_OF.get(part, part))

    def environment(self, **settings):
        """Return the environment variables of a program that uses the copy.

        The program imports from the copy only, and its servers listen on free ports.
        """
        kept = {name: value for name, value in os.environ.items() if not OURS.match(name)}
        free_ports = {"SERVER_PORT": "0", "SERVER_INTERNAL_PORT": "0"}
        return kept | free_ports | {"PYTHONPATH": str(self.folder)} | settings

    def run(self, *arguments, timeout=WAIT_SECONDS, **settings):
        """Run `python -m …` in the copy's folder until it ends."""
        command, environment = [self.python, "-m", *arguments], self.environment(**settings)
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=timeout
        )

    @contextmanager
    def serving(self):
        """Run the copy's server; the `with` block gets the server's URL.

        After the block the server is stopped, and must exit with 0.
        """
        command = [self.python, "-m", self.name]
        options = {"cwd": self.folder, "env": self.environment(), "stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, **options) as process:
            try:
                line = next((line for line in process.stdout if line.startswith("listening on")), "")
                yield re.search(r"http://[\d.:]+", line)[0]
                process.terminate()
                assert process.wait(WAIT_SECONDS) == 0
            finally:
                process.kill()

    def assert_is_healthy(self):
        """Assert that the copy's server starts, answers `/healthz` and stops."""
        with self.serving() as url, urlopen(f"{url}/healthz", timeout=WAIT_SECONDS) as response:  # noqa: S310 - our own server
            assert response.status == 200

    def assert_tests_pass(self, *options, timeout):
        """Assert that the copy's tests pass with these options of pytest. `-n 0` runs one after the other."""
        command = ("pytest", "-p", "no:cacheprovider", *IN_PARALLEL, *options, f"{self.name}/tests")
        done = self.run(*command, timeout=timeout)
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
        assert re.search(r"\d+ passed", done.stdout)


@pytest.fixture(scope="module")
def copy_template(tmp_path_factory):
    """Return a function that copies the template into a new folder.

    `copy_template(name)` gives the copy this name, or by default the name of the template.
    """
    return lambda name=TEMPLATE.name: Copy(tmp_path_factory.mktemp("copy"), name)
