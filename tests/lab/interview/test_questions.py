"""The interview's answers quote only what is measured, and no number is typed by hand."""

import re

import pytest
from lab.interview.live_answers import collect_live_answers
from lab.interview.questions import ANSWERED, QUOTED, Question, load_questions
from lab.results.claims import load_claims

QUESTIONS = load_questions()
CLAIMS = {claim.id: claim for claim in load_claims()}
EACH = pytest.mark.parametrize("question", QUESTIONS, ids=[question.ask for question in QUESTIONS])
# what may be written with digits, and why
NAMES_WITH_DIGITS = {
    r"[Cc]laim\s\d\d": "what a claim is called by",
    r"\bp99\b": "a percentile's name",
}
DESIGNS = {"A chat for many tabs", "Live tracking for a fleet"}


def test_there_are_forty_questions_and_two_designs() -> None:
    themes = [question.theme for question in QUESTIONS]
    assert sum(theme not in DESIGNS for theme in themes) == 40
    assert set(themes) >= DESIGNS


@EACH
def test_every_quotation_is_of_a_metric_that_is_measured(question: Question) -> None:
    for id, key, _ in QUOTED.findall(question.answer + question.then):
        assert id in CLAIMS
        assert key == "" or key in {also.key for also in CLAIMS[id].also}


@EACH
def test_no_number_is_typed(question: Question) -> None:
    words = ANSWERED.sub("", QUOTED.sub("", question.answer + question.then))
    for name in NAMES_WITH_DIGITS:
        words = re.sub(name, "", words)
    assert re.findall(r"\d+", words) == []


@EACH
def test_nothing_that_looks_like_a_quotation_is_left(question: Question) -> None:
    assert re.findall(r"\{\d[^}]*\}", QUOTED.sub("", question.answer + question.then)) == []


@EACH
def test_every_answer_leans_on_what_was_measured(question: Question) -> None:
    assert QUOTED.search(question.answer) or ANSWERED.search(question.answer)


async def test_the_good_server_answers_every_small_question_that_is_quoted_and_no_other() -> None:
    quoted = {key for question in QUESTIONS for key in ANSWERED.findall(question.answer + question.then)}
    assert set(await collect_live_answers()) == quoted
