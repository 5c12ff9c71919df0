"""What is deployed: the proxy's and the unit's own programs take their files, and all of them fit the settings."""

import asyncio
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from configparser import ConfigParser
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
import yaml

import good_server
from good_server.settings import Settings

ROOT = Path(good_server.__file__).parent
UNITS = {ROOT / "deploy" / "good-server@.service": [], ROOT / "deploy" / "good-worker.service": ["worker"]}
UNIT_NAMES = [unit.relative_to(ROOT).as_posix() for unit in UNITS]
EACH_UNIT = pytest.mark.parametrize("unit", UNITS, ids=UNIT_NAMES)
NGINX = ROOT / "deploy" / "nginx.conf"
DEFAULTS = Settings.model_construct()
SETTING = re.compile(r"^#?SERVER_([A-Z_]+)=(.*)$", re.MULTILINE)
WAIT_SECONDS = 20


def program(name):
    """The path of a program; without it a skip, and in CI a failure."""
    found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} is not installed")
    return found


def text(name):
    return (ROOT / name).read_text("utf-8")


def example():
    """The settings of `.env.example`, those behind a # too, by their names."""
    return dict(SETTING.findall(text(".env.example")))


def as_written(value):
    """A default as one would set it in the environment."""
    if value is None:
        return ""
    return ",".join(value) if isinstance(value, tuple) else str(value)


def test_the_example_holds_every_setting_with_its_default():
    expected = {name.upper(): as_written(field.default) for name, field in Settings.model_fields.items()}
    assert example() == expected


def test_every_setting_of_the_example_has_a_reason():
    pairs = pairwise(text(".env.example").splitlines())
    bare = {line.partition("=")[0] for above, line in pairs if SETTING.match(line) and not above.startswith("# ")}
    # these share the reason of the setting right above them
    assert bare == {"#SERVER_JWT_JWKS_URL", "#SERVER_JWT_AUDIENCE"}


def test_the_example_taken_as_it_is_changes_nothing(tmp_path):
    (tmp_path / ".env").write_text(text(".env.example"))
    assert Settings() == Settings(_env_file=None)


def test_the_uncommented_example_is_the_default(tmp_path):
    set_ones = [f"SERVER_{name}={value}" for name, value in example().items() if value]
    (tmp_path / ".env").write_text("\n".join(set_ones))
    assert len(set_ones) > len(example()) / 2
    assert Settings() == Settings(_env_file=None)


@pytest.mark.parametrize("name", ["Dockerfile", "compose.yaml", "deploy/nginx.conf", *UNIT_NAMES])
def test_every_setting_that_is_named_is_one(name):
    named = {setting.lower() for setting in re.findall(r"\bSERVER_([A-Z]+(?:_[A-Z]+)*)\b", text(name))}
    assert named
    assert named <= Settings.model_fields.keys()


@pytest.mark.parametrize("name", [".env.example", "Dockerfile", "compose.yaml", *UNIT_NAMES])
def test_nothing_that_is_deployed_holds_a_secret(name):
    # a reference to the environment is no secret
    words = re.sub(r"\$\{\w+:\?[^}]*\}", "", text(name))
    assert re.findall(r"(?:SECRET|PASSWORD|TOKEN|PRIVATE_KEY)[ \t]*[=:][ \t]*(\S+)", words) == []
    assert re.findall(r"://[^/\s]*:[^@/\s]+@", words) == []


def instructions():
    """The Dockerfile's instructions in order, continued lines joined."""
    joined = text("Dockerfile").replace("\\\n", " ")
    return [line.split(maxsplit=1) for line in joined.splitlines() if line and not line.startswith("#")]


def instruction(name):
    return [rest for word, rest in instructions() if word == name]


def test_the_image_runs_as_a_numeric_user_that_is_not_root():
    (user,) = instruction("USER")
    assert all(int(part) > 0 for part in user.split(":"))
    order = [word for word, _ in instructions()]
    assert order.index("USER") > len(order) - 1 - order[::-1].index("COPY")


def test_what_the_image_copies_is_there_and_is_not_ignored():
    ignored = text(".dockerignore").splitlines()
    for sources in (rest.split()[:-1] for rest in instruction("COPY")):
        assert all((ROOT / source).exists() and source not in ignored for source in sources)
    assert {".env", "tests"} <= set(ignored)


def test_the_image_starts_without_a_shell_for_sigterm():
    (command,) = instruction("CMD")
    assert json.loads(command) == ["python", "-m", "good_server"]


async def test_the_image_looks_after_itself_by_asking_healthz(server, monkeypatch):
    (check,) = instruction("HEALTHCHECK")
    command = json.loads(check.partition("CMD")[2])
    monkeypatch.setenv("SERVER_PORT", server.url.rpartition(":")[2])
    assert await ended(command) == 0
    await server.ended()
    assert await ended(command) != 0


async def ended(command):
    process = await asyncio.create_subprocess_exec(sys.executable, *command[1:], stderr=asyncio.subprocess.DEVNULL)
    return await asyncio.wait_for(process.wait(), WAIT_SECONDS)


def services():
    return yaml.safe_load(text("compose.yaml"))["services"]


def test_compose_builds_from_here_and_starts_after_what_it_needs():
    server = services()["server"]
    assert (ROOT / server["build"] / "Dockerfile").exists()
    assert server["depends_on"].keys() <= services().keys()
    assert (ROOT / f"{server['env_file']}.example").exists()


def test_the_compose_worker_matches_the_server_without_a_port():
    server, worker = services()["server"], services()["worker"]
    assert worker["command"] == ["python", "-m", "good_server", "worker"]
    assert worker["healthcheck"] == {"disable": True}
    assert worker["environment"].items() <= server["environment"].items()
    same = ("build", "env_file", "depends_on", "read_only", "cap_drop", "security_opt", "stop_grace_period")
    assert [worker[name] for name in same] == [server[name] for name in same]


def test_compose_publishes_the_servers_public_port_alone():
    published = {name: service.get("ports", []) for name, service in services().items()}
    assert published == {"server": [f"127.0.0.1:{DEFAULTS.port}:{DEFAULTS.port}"], "worker": [], "redis": []}


def test_the_compose_redis_needs_a_password_and_has_no_default():
    redis = services()["redis"]
    assert "--requirepass" in redis["command"][-1]
    assert redis["environment"]["REDIS_PASSWORD"].startswith("${REDIS_PASSWORD:?")


def service_of(unit):
    """The unit's [Service], a repeated key as a list in `EnvironmentFile` alone."""
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read_string(unit.read_text("utf-8"))
    return parser["Service"]


@EACH_UNIT
def test_systemd_takes_the_unit(tmp_path, unit):
    # systemd looks for the program, too: one that is here stands in for the one of the deployed machine
    stand_in = re.sub(r"^ExecStart=\S+", f"ExecStart={shutil.which('true')}", unit.read_text(), flags=re.MULTILINE)
    (tmp_path / unit.name).write_text(stand_in)
    command = [program("systemd-analyze"), "verify", str(tmp_path / unit.name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS)
    assert (done.returncode, unit.stem.removesuffix("@") in done.stderr) == (0, False), done.stderr


@EACH_UNIT
def test_the_unit_leaves_its_process_time_to_end(unit):
    service = service_of(unit)
    assert int(service["TimeoutStopSec"]) > DEFAULTS.shutdown_seconds
    assert shlex.split(service["ExecStart"])[1:] == ["-m", "good_server", *UNITS[unit]]


def test_the_unit_leaves_the_server_its_sockets():
    (server,) = [unit for unit, command in UNITS.items() if not command]
    assert int(service_of(server)["LimitNOFILE"]) > DEFAULTS.connections


@EACH_UNIT
def test_the_unit_gives_its_process_no_rights(unit):
    service = service_of(unit)
    assert (service["DynamicUser"], service["NoNewPrivileges"], service["ProtectSystem"]) == ("yes", "yes", "strict")
    assert service["CapabilityBoundingSet"] == ""


def seconds_of(directive):
    return int(re.search(rf"^\s*{directive} (\d+)s;", NGINX.read_text(), re.MULTILINE)[1])


@pytest.mark.parametrize("directive", ["proxy_read_timeout", "proxy_send_timeout"])
def test_the_proxy_waits_longer_than_the_heartbeat(directive):
    assert seconds_of(directive) > DEFAULTS.ping_interval_seconds + DEFAULTS.ping_timeout_seconds


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest_asyncio.fixture(loop_scope="session")
async def proxy(serve, tmp_path, until):
    """The real nginx with the file as it is, its ports apart, before two servers."""
    nginx = program("nginx")
    servers = [await serve(trusted_proxies=("127.0.0.1",)) for _ in range(2)]
    ports = {"127.0.0.1:8000": servers[0].url, "127.0.0.1:8001": servers[1].url}
    port, words = free_port(), NGINX.read_text()
    for old, url in ports.items():
        words = words.replace(f"server {old}", f"server {url.removeprefix('http://')}")
    (tmp_path / "nginx.conf").write_text(words.replace("listen 8080;", f"listen 127.0.0.1:{port};"))
    command = [nginx, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"), "-e", "stderr", "-g", "daemon off;"]
    with (tmp_path / "said").open("w") as said:
        process = await asyncio.create_subprocess_exec(*command, stdout=said, stderr=said)
    try:
        await until(lambda: process.returncode is not None or is_open(port))
        assert process.returncode is None, (tmp_path / "said").read_text()
        yield f"http://127.0.0.1:{port}", servers
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), WAIT_SECONDS)


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_nginx_takes_the_file(tmp_path):
    command = [program("nginx"), "-t", "-p", str(tmp_path), "-c", str(NGINX), "-e", "stderr"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS)
    assert (done.returncode, "[warn]" in done.stderr) == (0, False), done.stderr


async def test_clients_of_both_processes_are_served_through_nginx(proxy, new_tab):
    before, servers = proxy
    tabs = [new_tab() for _ in range(4)]
    for tab in tabs:
        await tab.connect(before, servers[0].token("ana", "admin"))
        assert (await tab.ask("chat:send", {"to": "ana", "text": "hello"}))["ok"]
    # least_conn without stickiness: both have some
    assert {server.members("user:ana") for server in servers} == {2}


async def test_the_server_learns_the_address_not_the_clients_claim(proxy, http):
    before, servers = proxy
    claim = {"X-Forwarded-For": "203.0.113.9"}
    async with http.ws_connect(before + "/socket.io/?EIO=4&transport=websocket", headers=claim) as websocket:
        await websocket.receive(timeout=WAIT_SECONDS)
        found = [(server, environ) for server in servers for environ in server.sio.environ.values()]
        ((server, environ),) = found
        assert server.application.admission.address_of(environ["aiohttp.request"]) == "127.0.0.1"


@pytest.mark.parametrize(("path", "status"), [("/healthz", 200), ("/metrics", 404), ("/readyz", 404), ("/", 404)])
async def test_nginx_lets_health_through_and_nothing_of_the_inside(proxy, http, path, status):
    async with http.get(proxy[0] + path) as response:
        assert response.status == status


async def test_nginx_holds_back_one_address_that_connects_too_fast(proxy, http):
    statuses = []
    for _ in range(120):
        async with http.get(proxy[0] + "/socket.io/?EIO=4&transport=polling") as response:
            statuses.append(response.status)
        if statuses[-1] == 429:
            break
    assert (statuses[0], statuses[-1]) == (400, 429)


async def test_a_lost_process_leaves_the_other_one_serving(proxy, new_tab):
    before, servers = proxy
    await servers[0].ended()
    for _ in range(3):
        tab = new_tab()
        await tab.connect(before, servers[1].token("ana"))
    assert servers[1].members("user:ana") == 3


async def test_a_page_behind_nginx_may_connect_to_its_own_origin_alone(proxy, http):
    address = proxy[0] + "/socket.io/?EIO=4&transport=websocket"
    async with http.ws_connect(address, headers={"Origin": proxy[0]}) as websocket:
        assert (await websocket.receive(timeout=WAIT_SECONDS)).data.startswith("0{")
    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        await http.ws_connect(address, headers={"Origin": "http://elsewhere.example"})
