"""Tests the conformance suite: each check refuses a wrong answer.

Right answers pass the whole suite when they are graded, in `test_grade`.
"""

from collections import Counter
from typing import Any

import pytest
from lab.exercises import conformance
from lab.exercises.conformance import CHECKS, SERVED, checks_for
from lab.exercises.trial import conform, trial

from bad_server.app import MISTAKES
from good_server.app import create_parts
from good_server.gateway import Gateway
from good_server.settings import Settings

from .wrong_handlers import WRONG, WrongAnswer

BY_NAME = {check.name: check for check in CHECKS}
# what is refused in the default lane; the others are slow
QUICKEST = {("a message to a user", 0), ("a member's closed tab", 0), ("joining another's room", 0)}

# what has to run before a check, because the check looks at what happened before
AFTER = {"nothing comes late": ["a message to a user", "ten tabs"], "no exception": ["a closed tab"]}


def numbered(answers: tuple[WrongAnswer, ...]) -> list[Any]:
    """Return the parameters of a test, one for each wrong answer.

    Those of the same check are numbered.
    """
    seen: Counter[str] = Counter()
    cases = []
    for answer in answers:
        key = (answer.check, seen[answer.check])
        seen[answer.check] += 1
        marks = [] if key in QUICKEST else pytest.mark.slow
        cases.append(pytest.param(answer, id=f"{answer.check} {key[1]}", marks=marks))
    return cases


async def finding(answer: WrongAnswer) -> str | None:
    """Run the check that is to refuse a wrong answer."""
    names = [*AFTER.get(answer.check, []), answer.check]
    async with trial(answer.number, answer.source) as files:
        return await conform(files, checks=[BY_NAME[name] for name in names])


@pytest.mark.parametrize("answer", numbered(WRONG))
async def test_each_check_refuses_a_wrong_answer(answer: WrongAnswer) -> None:
    found = await finding(answer)
    assert found is not None
    assert answer.phrase in found
    assert "\n" not in found


def test_every_check_has_a_wrong_answer() -> None:
    assert {answer.check for answer in WRONG} == BY_NAME.keys()


def test_every_check_is_for_an_exercise() -> None:
    used = {check.name for number in SERVED for check in checks_for(number)}
    assert used == BY_NAME.keys()


@pytest.mark.parametrize("number", SERVED)
async def test_the_served_events_are_those_of_the_module(number: int) -> None:
    handlers: Gateway = MISTAKES[number - 1].Handlers("/", create_parts(Settings()))
    assert SERVED[number] == {route.event for route in handlers.routes()} - {"session:login"}


def test_two_processes_are_for_the_lessons_that_claim_them() -> None:
    assert [number for number in SERVED if conformance.needs_two_processes(number)] == [1, 2, 5]
    for number in SERVED:
        across = checks_for(number, workers=2)
        assert 0 < len(across) < len(checks_for(number))


TWO_PROCESSES = {
    1: """
    async def left(self, request):
        self.socket_ids[request.identity.user].remove(request.sid)
""",
    5: """
    async def joined(self, request):
        await Gateway.joined(self, request)
        self.count = getattr(self, "count", {})
        self.count[request.identity.user] = self.count.get(request.identity.user, 0) + 1

    async def left(self, request):
        self.count[request.identity.user] -= 1

    async def deliver(self, request, sent):
        if sent.to is not None and not self.count.get(sent.to):
            sent = sent.model_copy(update={"to": request.identity.user})
        return await chat.deliver(request, sent)
""",
}


@pytest.mark.parametrize("number", TWO_PROCESSES)
async def test_what_one_process_knows_fails_with_two(number: int, redis_program: str) -> None:
    answer = WrongAnswer("a message to a user", number, "", TWO_PROCESSES[number])
    check = [BY_NAME[answer.check]]
    async with trial(number, answer.source) as files:
        assert await conform(files, checks=check) is None
        assert "did not receive the message from ana to" in str(await conform(files, workers=2, checks=check))
