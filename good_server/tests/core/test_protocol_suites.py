"""Tests of the command `protocol-suites`, without the suites themselves."""

import pytest

from ..protocol_suites import is_websocket, suite_of

TITLES = {
    "engine": 'describe("Engine.IO protocol", () => {});',
    "socket": 'describe("Engine.IO protocol", () => {}); describe("Socket.IO protocol", () => {});',
}


@pytest.mark.parametrize("suite", TITLES)
def test_a_folder_says_which_suite_it_holds(suite, tmp_path):
    (tmp_path / "test-suite").mkdir()
    (tmp_path / "test-suite" / "test-suite.js").write_text(TITLES[suite])
    assert suite_of(tmp_path) == suite


def test_a_folder_without_a_suite_ends_with_one_line(tmp_path):
    with pytest.raises(SystemExit, match="is no copy of"):
        suite_of(tmp_path)


def test_long_polling_and_upgrades_from_it_are_left_out():
    tests = ["close WebSocket closes", "close HTTP long-polling closes", "upgrade should upgrade", "connect accepts"]
    assert [is_websocket(test) for test in tests] == [True, False, False, True]
