"""The interview's answers quote only what is measured, and no number is typed by hand."""

import re

import pytest
from lab.claims import load_claims
from lab.questions import QUOTED, Question, load_questions

QUESTIONS = load_questions()
CLAIMS = {claim.id: claim for claim in load_claims()}
EACH = pytest.mark.parametrize("question", QUESTIONS, ids=[question.ask for question in QUESTIONS])
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
    words = QUOTED.sub("", question.answer + question.then)
    # what a claim is called by, a status of HTTP, and a percentile are names
    assert re.findall(r"\d+", re.sub(r"[Cc]laim \d\d|\b503\b|\bp99\b|\(claim \d\d\)", "", words)) == []


@EACH
def test_nothing_that_looks_like_a_quotation_is_left(question: Question) -> None:
    assert re.findall(r"\{\d[^}]*\}", QUOTED.sub("", question.answer + question.then)) == []
