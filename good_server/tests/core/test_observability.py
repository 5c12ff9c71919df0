"""Tests that logs never show what users sent."""

import logging

import pytest
import structlog

from ...observability import configure_logging

CANARY = "canary-7f3a"


@pytest.fixture
def configured(capsys):
    """`configured(json_lines=…)` sets up the server's logging, reset after the test."""
    root = logging.getLogger()
    handlers, level, before = root.handlers, root.level, structlog.get_config()
    yield configure_logging
    root.handlers, root.level = handlers, level
    structlog.configure(**before)


def fail(token):
    raise RuntimeError("the database is away")


@pytest.mark.parametrize("json_lines", [True, False])
def test_a_failure_is_logged_without_the_values_of_variables(configured, capsys, json_lines):
    configured(json_lines=json_lines)
    try:
        fail(CANARY)
    except RuntimeError as error:
        structlog.get_logger("test").error("failed", exc_info=error)
    written = capsys.readouterr().err
    assert "the database is away" in written
    assert CANARY not in written


def test_a_log_that_is_not_a_terminal_has_no_colours(configured, capsys):
    configured(json_lines=False)
    structlog.get_logger("test").info("closing", connections=3)
    assert "\x1b" not in capsys.readouterr().err


def test_a_log_entry_is_one_line_for_any_text(configured, capsys):
    configured(json_lines=True)
    structlog.get_logger("test").info("closing", reason="one\ntwo\r\x1b[31m")
    logging.getLogger("aiohttp.server").warning("three\nfour")
    assert len(capsys.readouterr().err.splitlines()) == 2
