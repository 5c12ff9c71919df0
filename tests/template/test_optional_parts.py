"""Tests the template without optional parts, which a team may delete."""

import pytest

SUITE_SECONDS = 900
EVERY_PART = ("client", "cluster", "delivery", "contract", "deploy", "reports", "tracing", "new", "recipes")
DELETED = [("cluster",), ("delivery",), ("contract", "deploy"), ("reports",), EVERY_PART]
QUICK = (("cluster",), EVERY_PART)
EACH_DELETION = pytest.mark.parametrize("parts", DELETED, ids="-".join)
REDIS = {"SERVER_REDIS_URL": "redis://127.0.0.1:6379/0"}
# what needs a part: the part, the command's arguments, and its settings
NEEDS_A_PART = [
    ("cluster", [], REDIS),
    ("cluster", ["--workers", "2"], {}),
    ("cluster", ["--workers", "2"], REDIS),
    ("delivery", [], {"SERVER_DELIVERY": "engine"}),
    ("contract", ["contract", "--typescript"], {}),
    ("reports", ["worker"], REDIS),
]


@pytest.fixture(scope="module")
def without(copy_template):
    """Return a function that copies the template without some parts.

    `without(*parts)` makes one copy for each combination of parts.
    """
    copies = {}

    def delete(*parts):
        if parts not in copies:
            copies[parts] = copy_template()
            copies[parts].delete(*parts)
        return copies[parts]

    return delete


# the quick lane starts two of them
@pytest.mark.parametrize(
    "parts",
    [parts if parts in QUICK else pytest.param(parts, marks=pytest.mark.slow) for parts in DELETED],
    ids="-".join,
)
def test_the_server_starts_without_the_parts(without, parts):
    without(*parts).assert_is_healthy()


@pytest.mark.parametrize(("part", "arguments", "settings"), NEEDS_A_PART)
def test_a_deleted_part_that_is_asked_for_stops_the_start(without, part, arguments, settings):
    copy = without(part)
    done = copy.run(copy.name, *arguments, **settings)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert f"{copy.name}/{part}, which was deleted" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(SUITE_SECONDS)
@EACH_DELETION
def test_the_rest_of_the_tests_passes_without_the_parts(without, parts):
    without(*parts).assert_tests_pass(timeout=SUITE_SECONDS)
