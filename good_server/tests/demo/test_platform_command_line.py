"""Tests of the platform's command line: its roles, companies and rooms."""

import asyncio

import pytest

from ...__main__ import main
from ..core.test_command_line import serving, start, tokens
from ..waiting import PROCESS_SECONDS

TOKEN = ["token", "--user", "ana", "--role", "driver"]


async def test_a_newcomer_may_chat_with_the_token_of_each_role(connect):
    async with serving() as server:
        given = tokens(server.printed)
        assert list(given) == ["admin", "driver", "company", "provider", "vendor"]
        for role, token in given.items():
            tab = await connect(role, to=server, token=token)
            assert (await tab.ask("chat:send", {"room": "job:17", "text": "hello"}))["ok"]


async def test_the_token_command_prints_a_token_of_a_driver(connect):
    command = await start(*TOKEN, "--company", "acme", "--room", "job:18", "--room", "job:19", "--ttl", "60")
    printed, errors = await asyncio.wait_for(command.communicate(), PROCESS_SECONDS)
    assert (command.returncode, errors) == (0, b"")
    async with serving() as server:
        tab = await connect("ana", to=server, token=printed.decode().strip())
        assert (await tab.ask("driver:status", {"status": "busy"}))["ok"]
        assert (await tab.ask("room:join", {"room": "job:19"}))["ok"]


@pytest.mark.parametrize(
    "arguments", [["token", "--user", "ana", "--role", "company"], [*TOKEN, "--company", "a b"]], ids=repr
)
def test_a_wrong_company_is_reported_in_one_line(capsys, arguments):
    code = main(arguments)
    printed, errors = capsys.readouterr()
    assert (code, printed, errors.count("\n")) == (2, "", 1)
    assert "--company" in errors
