"""The commands of the blind diagnosis in a terminal.

With these commands a learner examines servers with unknown mistakes.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import socketio

from lab.clients.tab import Tab
from lab.diagnosis.answers import GIVEN_UP, Judgement, parse
from lab.diagnosis.session import Session
from lab.diagnosis.suspect import Suspect
from lab.system.exit_codes import UsageError


@dataclass(frozen=True)
class Command:
    """One command that a learner can type: its arguments, purpose and function."""

    usage: str
    purpose: str
    run: Callable[[str], Awaitable[None]]


class Prompt:
    """Executes the commands that a learner types, line by line.

    With the commands a learner examines servers with unknown mistakes. `letter` names the server to start with. `say`
    shows one or more lines of text to the learner.
    """

    def __init__(self, session: Session, letter: str, say: Callable[[str], None]) -> None:
        self.letter = letter
        self.is_done = False
        # what the learner has answered, by letter; only the last answer counts
        self.answers: dict[str, str] = {}
        self.right: set[str] = set()
        self._session = session
        self._say = say
        self._commands = {
            "open": Command("USER [ROLE] [company=NAME] [room=job:17]", "open one more tab of a user", self._open),
            "say": Command("TAB USER|job:ID TEXT", "send a chat message", self._chat),
            "ask": Command("TAB EVENT [JSON]", "send any event, show its ack and how long it took", self._ask),
            "flood": Command("TAB COUNT EVENT JSON", "send an event many times at once", self._flood),
            "cut": Command("TAB", "reset its connection; the tab reconnects by itself", self._cut),
            "silence": Command("TAB", "keep its connection open, but let nothing pass any more", self._silence),
            "close": Command("TAB", "close a tab", self._close),
            "look": Command("", "show every tab's inbox, and what the probe sees", self._look),
            "restart": Command("", "kill the server, and start it again", self._restart),
            "url": Command("", "show the address and a token, for clients of your own", self._url),
            "server": Command("LETTER", "go to another server", self._server),
            "answer": Command("01 to 10|02+03|none", "say what this server does wrong", self._answer),
            "help": Command("", "show these commands", self._help),
            "quit": Command("", "stop the servers", self._quit),
        }

    async def begin(self) -> None:
        """Start the first server, and show how to examine it."""
        await self._server(self.letter)
        self._say("Type help for the commands, and quit to end.")

    async def do(self, line: str) -> None:
        """Execute one line that the learner typed.

        For an invalid line, show one line that says what is wrong.
        """
        name, _, rest = line.strip().partition(" ")
        if not name:
            return
        command = self._commands.get(name)
        if command is None:
            self._say(f"there is no command {name!r}; type help")
            return
        try:
            await command.run(rest.strip())
        except UsageError as error:
            self._say(str(error) or f"use it like this: {name} {command.usage}".strip())
        except (socketio.exceptions.SocketIOError, TimeoutError) as error:
            self._say(f"it did not work: {error or 'no answer'}")

    async def _suspect(self) -> Suspect:
        return await self._session.start(self.letter)

    async def _tab(self, name: str) -> Tab:
        tabs = (await self._suspect()).tabs
        if name not in tabs:
            raise UsageError(f"there is no tab {name!r}; there are: {', '.join(tabs) or 'none, open one'}")
        return tabs[name]

    async def _open(self, text: str) -> None:
        user, *words = _words(text, 1)
        named = [word.partition("=") for word in words if "=" in word]
        roles = [word for word in words if "=" not in word]
        if len(roles) > 1 or not {name for name, _, _ in named} <= {"company", "room"}:
            raise UsageError
        company = next((value for name, _, value in named if name == "company"), None)
        rooms = [value for name, _, value in named if name == "room"]
        suspect = await self._suspect()
        await suspect.open(user, *roles, company=company, rooms=rooms)
        self._say(f"open: {list(suspect.tabs)[-1]}")

    async def _chat(self, text: str) -> None:
        name, to, message = _words(text, 3, at_most=3)
        target = {"room": to} if ":" in to else {"to": to}
        await self._send(name, "chat:send", {**target, "text": message})

    async def _ask(self, text: str) -> None:
        name, event, *rest = _words(text, 2, at_most=3)
        await self._send(name, event, _json("".join(rest) or "{}"))

    async def _send(self, name: str, event: str, data: Any) -> None:
        tab = await self._tab(name)
        ack, seconds = await (await self._suspect()).ask(tab, event, data)
        self._say(f"{json.dumps(ack, ensure_ascii=False)} after {seconds * 1000:.0f} ms")

    async def _flood(self, text: str) -> None:
        name, count, event, data = _words(text, 4, at_most=4)
        if not count.isdecimal():
            raise UsageError
        tab = await self._tab(name)
        outcomes = await (await self._suspect()).flood(tab, event, _json(data), int(count))
        self._say(", ".join(f"{outcome}: {number}" for outcome, number in outcomes.items()))

    async def _cut(self, text: str) -> None:
        tab = await self._tab(text)
        is_back = await (await self._suspect()).cut(tab)
        self._say(f"{text} lost its connection and {'is back' if is_back else 'did not come back'}")

    async def _silence(self, text: str) -> None:
        await (await self._tab(text)).link.go_silent()
        self._say(f"nothing passes on the connection of {text}; the server does not know it yet")

    async def _close(self, text: str) -> None:
        await (await self._tab(text)).close()
        self._say(f"{text} is closed")

    async def _look(self, text: str) -> None:
        suspect = await self._suspect()
        await suspect.settle()
        for state in suspect.states():
            self._say(str(state))
        for name, value in (await suspect.read()).as_numbers().items():
            self._say(f"{value:>8g}  {name}")

    async def _restart(self, text: str) -> None:
        await (await self._suspect()).restart()
        self._say("the server was killed, and runs again")

    async def _url(self, text: str) -> None:
        target = (await self._suspect()).target
        self._say(f"{target.url} (transport websocket), token of ana: {target.token('ana', rooms=('job:17',))}")

    async def _server(self, text: str) -> None:
        description = self._session.describe(text.upper())
        self.letter = text.upper()
        suspect = await self._suspect()
        self._say(f"{description}\nIt listens at {suspect.target.url}.")

    async def _answer(self, text: str) -> None:
        if not text:
            raise UsageError
        if self._session.kind == "exam":
            if text != GIVEN_UP:
                parse(text)
            self._say(f"noted: {self.letter}={text}")
        else:
            await self._tell(self._session.judge(self.letter, text))
        self.answers[self.letter] = text

    async def _tell(self, judgement: Judgement) -> None:
        self._say(judgement.text)
        if judgement.outcome != "right":
            return
        self.right.add(self.letter)
        self._say("Its scenario is measured …")
        for finding in await self._session.measure(self.letter):
            self._say(str(finding))

    async def _help(self, text: str) -> None:
        width = max(len(f"{name} {command.usage}") for name, command in self._commands.items())
        for name, command in self._commands.items():
            self._say(f"{f'{name} {command.usage}':<{width}}  {command.purpose}")

    async def _quit(self, text: str) -> None:
        self.is_done = True


def _words(text: str, at_least: int, *, at_most: int = 20) -> list[str]:
    """Return the arguments of a command, at most `at_most`.

    The last argument may contain spaces. Raises `UsageError` without a message when there are fewer than `at_least`
    arguments; the caller then shows how the command is used.
    """
    words = text.split(maxsplit=at_most - 1)
    if len(words) < at_least:
        raise UsageError
    return words


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"this is not JSON: {error}") from None
