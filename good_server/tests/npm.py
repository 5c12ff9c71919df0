"""Install the npm packages that some tests need."""

import subprocess

from .programs import installed

NPM_PACKAGES = ("typescript@5.9.3", "socket.io-client@4.8.4", "@asyncapi/specs@6.11.1")
NPM_SECONDS = 180


def install(folder):
    """Install the packages into `folder`. Without npm the test is skipped, and in CI it fails."""
    command = [installed("npm"), "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)]
    subprocess.run([*command, *NPM_PACKAGES], check=True, capture_output=True, timeout=NPM_SECONDS)
