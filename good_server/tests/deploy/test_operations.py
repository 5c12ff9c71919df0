"""Tests alerts, runbook, dashboard and Kubernetes manifests against the server."""

import json
import re
import subprocess

import pytest
import yaml

from ...app import create_parts
from ...errors import Internal, TimedOut
from ...optional_parts import has_part
from ...settings import Settings
from ...signing_keys import SigningKeys
from ..package import FOLDER
from ..programs import installed

DEPLOY = FOLDER / "deploy"
DEFAULTS = Settings.model_construct()
METRIC = re.compile(r"\b((?:server|process)_[a-z_]+)(?:\{|\[|\b)")
RUNBOOK_LINK = re.compile(r"RUNBOOK\.md#([\w-]+)")


def rules():
    (group,) = yaml.safe_load((DEPLOY / "alerts.yml").read_text("utf-8"))["groups"]
    return group["rules"]


def panels():
    return json.loads((DEPLOY / "dashboard.json").read_text("utf-8"))["panels"]


def expressions():
    """Return all queries, by the name of the alert or panel."""
    queries = {panel["title"]: [target["expr"] for target in panel["targets"]] for panel in panels()}
    return {rule["alert"]: [rule["expr"]] for rule in rules()} | queries


def manifests():
    documents = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text("utf-8"))
    return {document["kind"]: document for document in documents}


def container():
    (found,) = manifests()["Deployment"]["spec"]["template"]["spec"]["containers"]
    return found


@pytest.fixture(scope="module")
def metrics():
    """Return the types of all metrics of a server, by name.

    The server has Redis and a key set."""
    redis = {"redis_url": "redis://127.0.0.1:1/0"} if has_part("cluster") else {}
    parts = create_parts(Settings(**redis))
    SigningKeys(Settings(jwt_jwks_url="https://issuer.example/keys", jwt_algorithms=("RS256",)), parts.guards.metrics)
    # a counter with labels shows its name only in the comments until it counts
    text = parts.guards.metrics.exposition().decode()
    return dict(re.findall(r"^# TYPE (\S+) (\w+)$", text, re.MULTILINE))


def series_of(name, kind):
    return [f"{name}_bucket", f"{name}_sum", f"{name}_count"] if kind == "histogram" else [name]


def test_alerts_and_panels_query_only_metrics_that_exist(metrics):
    known = {series for name, kind in metrics.items() for series in series_of(name, kind)}
    # the collector of the process has no values on other systems than Linux
    known |= {"process_open_fds", "process_max_fds", "process_cpu_seconds_total", "process_resident_memory_bytes"}
    if not has_part("cluster"):
        pytest.skip("without cluster/ there are no metrics of Redis")
    for name, queries in expressions().items():
        named = {found for query in queries for found in METRIC.findall(query)}
        assert named <= known, name
        assert named or name == "ServerDown"


def test_every_query_names_the_job_of_the_server():
    for name, queries in expressions().items():
        for query in queries:
            selectors = len(re.findall(r"\b(?:server|process)_[a-z_]+\{|\bup\{", query))
            assert query.count("job=") == selectors, name


def test_alerts_name_outcomes_that_acks_have():
    (rule,) = [rule for rule in rules() if rule["alert"] == "HandlersFail"]
    assert f'outcome=~"{Internal.code}|{TimedOut.code}"' in rule["expr"]


def test_every_alert_has_its_section_in_the_runbook():
    text = (DEPLOY / "RUNBOOK.md").read_text("utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    linked = {RUNBOOK_LINK.fullmatch(rule["annotations"]["runbook"])[1] for rule in rules()}
    assert linked <= anchors
    # no metric shows this one
    assert anchors - linked == {"a-hot-room"}


def test_the_runbook_names_settings_and_metrics_that_exist(metrics):
    text = (DEPLOY / "RUNBOOK.md").read_text("utf-8")
    settings = {name.lower() for name in re.findall(r"`SERVER_([A-Z_]+)`", text)}
    assert settings <= Settings.model_fields.keys()
    if not has_part("cluster"):
        pytest.skip("without cluster/ there are no metrics of Redis")
    named = {name for name in re.findall(r"`((?:server|process)_[a-z_]+)`", text) if not name.startswith("process_")}
    families = {name.removesuffix("_total") for name in metrics} | metrics.keys()
    assert named <= families | {name + "_total" for name in families}


def test_the_panels_of_the_dashboard_do_not_overlap():
    cells = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in panels()
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_the_pod_has_time_to_drain():
    pod = manifests()["Deployment"]["spec"]["template"]["spec"]
    (_, seconds) = container()["lifecycle"]["preStop"]["exec"]["command"]
    most = int(seconds) + DEFAULTS.shutdown_seconds + DEFAULTS.handler_seconds
    assert most < pod["terminationGracePeriodSeconds"]


def test_the_pod_is_configured_with_known_settings():
    names = [variable["name"] for variable in container()["env"]]
    assert {name.removeprefix("SERVER_").lower() for name in names} <= Settings.model_fields.keys()
    own = {variable["name"]: variable["value"] for variable in container()["env"]}
    ports = {port["name"]: str(port["containerPort"]) for port in container()["ports"]}
    assert ports == {"public": own["SERVER_PORT"], "internal": own["SERVER_INTERNAL_PORT"]}


async def test_the_probes_of_the_pod_ask_paths_that_exist(server, http):
    for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
        check = container()[probe]["httpGet"]
        assert check["port"] == "internal"
        async with http.get(server.internal_url + check["path"]) as response:
            assert response.status == 200


def test_the_manifests_name_the_same_pods():
    found = manifests()
    labels = found["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert found["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert found["Service"]["spec"]["selector"] == labels
    assert found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert found["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == labels
    assert found["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == found["Deployment"]["metadata"]["name"]


@pytest.mark.slow
def test_the_manifests_fit_the_schemas_of_kubernetes():
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    # the oldest that is still supported by its vendors, and the newest
    for version in ("1.31", "1.37"):
        for manifest in manifests().values():
            kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.slow
def test_prometheus_accepts_the_alert_rules():
    done = promtool("check", "rules", DEPLOY / "alerts.yml")
    assert done.returncode == 0, done.stderr
    assert f"{len(rules())} rules found" in done.stdout


def promtool(*arguments):
    return subprocess.run([installed("promtool"), *arguments], capture_output=True, text=True, timeout=30)


# by alert: series that make it fire, and the same series of a healthy server, one value per minute in the notation of
# promtool ("0+5x60" counts five more per minute); labels of the job and the instance are added
FIRES = {
    "ServerDown": (["up 0x60"], ["up 1x60"]),
    "EventLoopLag": (
        [
            f"server_loop_lag_seconds_bucket{{le='{le}'}} 0+{count}x60"
            for le, count in (("0.1", 10), ("1", 60), ("+Inf", 60))
        ],
        [
            f"server_loop_lag_seconds_bucket{{le='{le}'}} 0+{count}x60"
            for le, count in (("0.1", 60), ("1", 60), ("+Inf", 60))
        ],
    ),
    "SlowConsumers": (
        ["server_slow_readers_total{reason='slow'} 0+10x60", "server_connections 1000x60"],
        ["server_slow_readers_total{reason='slow'} 0+1x60", "server_connections 1000x60"],
    ),
    "SendQueuesGrow": (["server_outbox_bytes 300000000x60"], ["server_outbox_bytes 1000000x60"]),
    "RedisAway": (["server_redis_up 0x60"], ["server_redis_up 1x60"]),
    "RedisRefuses": (
        ["server_redis_refused_total{code='OOM'} 0+5x60"],
        ["server_redis_refused_total{code='OOM'} 7x60"],
    ),
    "MessagesLostBetweenProcesses": (
        ["server_redis_lost_total{reason='away'} 0+5x60"],
        ["server_redis_lost_total{reason='away'} 7x60"],
    ),
    "ReconnectStorm": (
        ["server_connects_total{outcome='accepted'} 0+6000x60", "server_connections 1000x60"],
        ["server_connects_total{outcome='accepted'} 0+60x60", "server_connections 1000x60"],
    ),
    "FileDescriptorsRunOut": (
        ["process_open_fds 950x60", "process_max_fds 1000x60"],
        ["process_open_fds 500x60", "process_max_fds 1000x60"],
    ),
    "KeysAway": (["server_keys_up 0x60"], ["server_keys_up 1x60"]),
    "TokensRefused": (
        ["server_refusals_total{reason='expired'} 0+100x60", "server_connects_total{outcome='accepted'} 0+60x60"],
        ["server_refusals_total{reason='expired'} 0+1x60", "server_connects_total{outcome='accepted'} 0+60x60"],
    ),
    "HandlersFail": (
        ["server_events_total{event='chat:send', outcome='internal'} 0+2x60"],
        ["server_events_total{event='chat:send', outcome='ok'} 0+2x60"],
    ),
    "TasksFail": (
        ["server_task_failures_total{task='sweep'} 0+1x60"],
        ["server_task_failures_total{task='sweep'} 7x60"],
    ),
}


def input_series(line):
    """Return a line of the table as an input series of promtool.

    It gets the labels of a scrape."""
    name, labels, values = re.fullmatch(r"(\w+)(?:\{(.+)\})? (\S+)", line).groups()
    own = f'job="realtime", instance="one:8010"{", " + labels if labels else ""}'
    return {"series": f"{name}{{{own}}}", "values": values}


def firing_alerts(folder, series):
    """Return the alerts that promtool finds firing after half an hour."""
    query = 'count by (alertname) (ALERTS{alertstate="firing"})'
    test = {
        "rule_files": [str(DEPLOY / "alerts.yml")],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [input_series(line) for line in series],
                # promtool has no query: it is expected to find nothing, and its error shows what it found
                "promql_expr_test": [{"expr": query, "eval_time": "30m", "exp_samples": []}],
            }
        ],
    }
    file = folder / "test.yml"
    file.write_text(yaml.safe_dump(test))
    done = promtool("test", "rules", file)
    return set(re.findall(r'alertname="(\w+)"', done.stdout + done.stderr))


def test_every_alert_has_series_that_make_it_fire():
    assert [rule["alert"] for rule in rules()] == list(FIRES)


@pytest.mark.slow
@pytest.mark.parametrize("alert", FIRES)
def test_an_alert_fires_alone_and_only_in_its_case(tmp_path, alert):
    ill, healthy = FIRES[alert]
    assert firing_alerts(tmp_path, ill) == {alert}
    assert firing_alerts(tmp_path, healthy) == set()
