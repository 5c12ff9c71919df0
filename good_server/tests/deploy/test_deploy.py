"""Tests that Dockerfile, compose file and systemd units fit the settings."""

import asyncio
import json
import re
import shlex
import shutil
import subprocess
import sys
from configparser import ConfigParser
from itertools import pairwise

import pytest
import yaml

from ...settings import Settings, load_settings
from .. import env_example
from ..package import FOLDER as ROOT
from ..package import PACKAGE
from ..ports import lasting_port
from ..programs import installed
from ..tokens import SECRET
from ..waiting import PROCESS_SECONDS

# the unit and the compose file of the report workers are in the folder of the reports, which a team may delete
UNITS = sorted(ROOT.glob("*/*.service"))
COMPOSE_FILES = sorted([*ROOT.glob("compose.yaml"), *ROOT.glob("*/compose.yaml")])
UNIT_NAMES, COMPOSE_NAMES = ([path.relative_to(ROOT).as_posix() for path in paths] for paths in (UNITS, COMPOSE_FILES))
EACH_UNIT = pytest.mark.parametrize("unit", UNITS, ids=UNIT_NAMES)
DEFAULTS = Settings.model_construct()
SETTING = re.compile(r"^#?SERVER_([A-Z_]+)=(.*)$", re.MULTILINE)


def text(name):
    return (ROOT / name).read_text("utf-8")


def example():
    """Return the settings of `.env.example` by name, commented-out ones included."""
    return dict(SETTING.findall(text(".env.example")))


def test_the_example_is_what_its_generator_writes():
    assert text(".env.example") == env_example.text(), f"run `python -m {PACKAGE}.tests env_example`"


def test_the_example_has_every_setting_with_its_default():
    expected = {name.upper(): env_example.as_written(field.default) for name, field in Settings.model_fields.items()}
    assert example() == expected


def test_every_setting_of_the_example_has_a_reason():
    pairs = pairwise(text(".env.example").splitlines())
    bare = {line.partition("=")[0] for above, line in pairs if SETTING.match(line) and not above.startswith("# ")}
    # it shares the reason of the setting above
    assert bare == {"#SERVER_JWT_JWKS_URL"}


def test_the_unchanged_example_sets_nothing(tmp_path):
    (tmp_path / ".env").write_text(text(".env.example"))
    assert Settings() == Settings(_env_file=None)


def test_the_uncommented_example_is_the_default(tmp_path):
    set_ones = [f"SERVER_{name}={value}" for name, value in example().items() if value]
    (tmp_path / ".env").write_text("\n".join(set_ones))
    assert len(set_ones) > len(example()) / 2
    assert Settings() == Settings(_env_file=None)


@pytest.mark.parametrize("name", ["Dockerfile", *COMPOSE_NAMES, "deploy/nginx.conf", *UNIT_NAMES])
def test_every_named_setting_exists(name):
    named = {setting.lower() for setting in re.findall(r"\bSERVER_([A-Z]+(?:_[A-Z]+)*)\b", text(name))}
    assert named
    assert named <= Settings.model_fields.keys()


@pytest.mark.parametrize("name", [".env.example", "Dockerfile", *COMPOSE_NAMES, *UNIT_NAMES])
def test_no_deployed_file_contains_a_secret(name):
    # references to the environment are no secrets
    words = re.sub(r"\$\{\w+:\?[^}]*\}", "", text(name))
    assert re.findall(r"(?:SECRET|PASSWORD|TOKEN|PRIVATE_KEY)[ \t]*[=:][ \t]*(\S+)", words) == []
    assert re.findall(r"://[^/\s]*:[^@/\s]+@", words) == []


def instructions():
    """Return the Dockerfile's instructions in order, with continued lines joined."""
    joined = text("Dockerfile").replace("\\\n", " ")
    return [line.split(maxsplit=1) for line in joined.splitlines() if line and not line.startswith("#")]


def instruction(name):
    return [rest for word, rest in instructions() if word == name]


def deployed_name():
    """Return the name of the server package in the Docker image."""
    return instruction("COPY")[-1].split()[-1].strip("/")


def test_the_image_runs_as_a_numeric_user_that_is_not_root():
    (user,) = instruction("USER")
    assert all(int(part) > 0 for part in user.split(":"))
    order = [word for word, _ in instructions()]
    assert order.index("USER") > len(order) - 1 - order[::-1].index("COPY")


def test_the_files_that_the_image_copies_exist():
    ignored = text(".dockerignore").splitlines()
    for sources in (rest.split()[:-1] for rest in instruction("COPY")):
        assert all((ROOT / source).exists() and source not in ignored for source in sources)
    assert {".env", "tests"} <= set(ignored)


def test_the_image_starts_without_a_shell_for_sigterm():
    (command,) = instruction("CMD")
    assert json.loads(command) == ["python", "-m", deployed_name()]


async def test_the_health_check_of_the_image_requests_healthz(serve, monkeypatch):
    (check,) = instruction("HEALTHCHECK")
    command = json.loads(check.partition("CMD")[2])
    server = await serve(port=lasting_port())
    monkeypatch.setenv("SERVER_PORT", server.url.rpartition(":")[2])
    assert await ended(command) == 0
    await server.ended()
    assert await ended(command) != 0


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy"])
async def test_the_health_check_of_the_image_asks_no_proxy(serve, monkeypatch, name):
    (check,) = instruction("HEALTHCHECK")
    command = json.loads(check.partition("CMD")[2])
    server = await serve(port=lasting_port())
    monkeypatch.setenv("SERVER_PORT", server.url.rpartition(":")[2])
    # nothing listens there
    monkeypatch.setenv(name, f"http://127.0.0.1:{lasting_port()}")
    assert await ended(command) == 0
    await server.ended()
    # this proxy would answer 200 in place of the server that has ended
    monkeypatch.setenv(name, (await serve()).url)
    assert await ended(command) != 0


async def ended(command):
    process = await asyncio.create_subprocess_exec(sys.executable, *command[1:], stderr=asyncio.subprocess.DEVNULL)
    return await asyncio.wait_for(process.wait(), PROCESS_SECONDS)


def services():
    """Return the services of all compose files together."""
    return {name: service for path in COMPOSE_FILES for name, service in yaml.safe_load(text(path))["services"].items()}


def test_compose_builds_this_folder_after_its_dependencies():
    server = services()["server"]
    assert (ROOT / server["build"] / "Dockerfile").exists()
    assert server["depends_on"].keys() <= services().keys()
    assert (ROOT / f"{server['env_file']}.example").exists()


@pytest.mark.needs("reports")
def test_the_compose_worker_matches_the_server_without_a_port():
    server, worker = services()["server"], services()["worker"]
    assert worker["command"] == ["python", "-m", deployed_name(), "worker"]
    assert worker["healthcheck"] == {"disable": True}
    assert worker["environment"].items() <= server["environment"].items()
    same = ("build", "env_file", "depends_on", "read_only", "cap_drop", "security_opt", "stop_grace_period")
    assert [worker[name] for name in same] == [server[name] for name in same]


def test_compose_publishes_only_the_public_port():
    published = {name: service.get("ports", []) for name, service in services().items()}
    ports = f"${{PUBLIC_PORTS:-{DEFAULTS.port}}}:{DEFAULTS.port}"
    assert {name: found for name, found in published.items() if found} == {"server": [f"127.0.0.1:{ports}"]}


def test_compose_can_start_several_servers():
    server = services()["server"]
    # a name or a fixed port on the machine could be taken once only
    assert "container_name" not in server
    assert "SERVER_REDIS_URL" in server["environment"]
    assert all(f"PUBLIC_PORTS={DEFAULTS.port}" in text(name) for name in ("compose.yaml", ".env.example"))


def test_a_scraper_in_the_network_reaches_the_internal_port():
    server = services()["server"]
    port = str(DEFAULTS.internal_port)
    own = server["environment"]
    assert (own["SERVER_INTERNAL_HOST"], own["SERVER_INTERNAL_PORT"]) == ("0.0.0.0", port)  # noqa: S104 - a container
    assert server["expose"] == [port]


def test_the_environment_of_compose_is_accepted(monkeypatch):
    for name, value in services()["server"]["environment"].items():
        monkeypatch.setenv(name, re.sub(r"\$\{REDIS_PASSWORD[^}]*\}", "x", value))
    # compose passes the lines of `.env` without a value, too
    monkeypatch.setenv("SERVER_JWT_PUBLIC_KEY", "")
    assert load_settings(jwt_secret=SECRET).env == "production"


def test_the_compose_redis_needs_a_password_and_has_no_default():
    redis = services()["redis"]
    assert "--requirepass" in redis["command"][-1]
    assert redis["environment"]["REDIS_PASSWORD"].startswith("${REDIS_PASSWORD:?")


def service_of(unit):
    """Return the `[Service]` section of a systemd unit."""
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read_string(unit.read_text("utf-8"))
    return parser["Service"]


@pytest.mark.slow
@EACH_UNIT
def test_systemd_accepts_the_unit(tmp_path, unit):
    # systemd checks that the program exists: replace it with one of this machine
    unit_text = re.sub(r"^ExecStart=\S+", f"ExecStart={shutil.which('true')}", unit.read_text(), flags=re.MULTILINE)
    (tmp_path / unit.name).write_text(unit_text)
    command = [installed("systemd-analyze"), "verify", str(tmp_path / unit.name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PROCESS_SECONDS)
    assert (done.returncode, unit.stem.removesuffix("@") in done.stderr) == (0, False), done.stderr


@EACH_UNIT
def test_the_unit_leaves_time_for_a_graceful_shutdown(unit):
    service = service_of(unit)
    assert int(service["TimeoutStopSec"]) > DEFAULTS.shutdown_seconds
    command = [] if "@" in unit.name else ["worker"]
    assert shlex.split(service["ExecStart"])[1:] == ["-m", deployed_name(), *command]


def test_the_unit_allows_as_many_files_as_connections():
    (server,) = [unit for unit in UNITS if "@" in unit.name]
    assert int(service_of(server)["LimitNOFILE"]) > DEFAULTS.connections


@EACH_UNIT
def test_the_unit_gives_its_process_no_privileges(unit):
    service = service_of(unit)
    assert (service["DynamicUser"], service["NoNewPrivileges"], service["ProtectSystem"]) == ("yes", "yes", "strict")
    assert service["CapabilityBoundingSet"] == ""
