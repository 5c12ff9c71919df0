"""Tests that the interview's answers quote only measured values."""

import re

import pytest
from lab.interview.live_answers import collect_live_answers
from lab.interview.questions import LIVE_ANSWER, MEASUREMENT, Question, load_questions
from lab.results.claims import load_claims

QUESTIONS = load_questions()
CLAIMS = {claim.id: claim for claim in load_claims()}
EACH = pytest.mark.parametrize("question", QUESTIONS, ids=[question.ask for question in QUESTIONS])
# the digits that are allowed in an answer, and why
NAMES_WITH_DIGITS = {
    r"[Cc]laim\s\d\d": "a claim's name",
    r"\bp99\b": "a percentile's name",
}
DESIGNS = {"A chat for many tabs", "Live tracking for a fleet"}


def test_there_are_forty_questions_and_two_designs() -> None:
    themes = [question.theme for question in QUESTIONS]
    assert sum(theme not in DESIGNS for theme in themes) == 40
    assert set(themes) >= DESIGNS


@EACH
def test_every_quoted_metric_is_measured(question: Question) -> None:
    for id, key, _ in MEASUREMENT.findall(question.answer + question.then):
        assert id in CLAIMS
        assert key == "" or key in {also.key for also in CLAIMS[id].also}


@EACH
def test_an_answer_contains_no_typed_number(question: Question) -> None:
    text = LIVE_ANSWER.sub("", MEASUREMENT.sub("", question.answer + question.then))
    for name in NAMES_WITH_DIGITS:
        text = re.sub(name, "", text)
    assert re.findall(r"\d+", text) == []


@EACH
def test_no_malformed_quotation_is_left(question: Question) -> None:
    assert re.findall(r"\{\d[^}]*\}", MEASUREMENT.sub("", question.answer + question.then)) == []


@EACH
def test_every_answer_quotes_a_measurement(question: Question) -> None:
    assert MEASUREMENT.search(question.answer) or LIVE_ANSWER.search(question.answer)


async def test_exactly_the_quoted_live_answers_are_collected() -> None:
    quoted = {key for question in QUESTIONS for key in LIVE_ANSWER.findall(question.answer + question.then)}
    assert set(await collect_live_answers()) == quoted
