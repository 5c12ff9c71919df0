"""Test the answers of a blind diagnosis, and the replies to them."""

import re

import pytest
from lab.diagnosis.answers import judge, parse
from lab.diagnosis.cases import MISTAKES, load, look_at, mistake
from lab.results.claims import load_claims
from lab.system.exit_codes import UsageError


@pytest.mark.parametrize(
    ("guess", "answer"),
    [
        (None, None),
        (3, {3}),
        ("3", {3}),
        (" 03 ", {3}),
        ("02+03", {2, 3}),
        ("2, 3", {2, 3}),
        ((2, 3), {2, 3}),
        ("none", set()),
        ("None", set()),
    ],
)
def test_an_answer_may_have_several_forms(guess, answer):
    assert parse(guess) == answer


@pytest.mark.parametrize("guess", [0, 11, "", "eleven", "3+", "3 and 4", (3, 11), "03 none", "٣", -3])
def test_another_form_is_refused_in_one_line(guess):
    with pytest.raises(UsageError, match="is not an answer; an answer is 01 to 10, two of them such as") as refused:
        parse(guess)
    assert "\n" not in str(refused.value)


def test_no_answer_is_not_answered_yet():
    assert judge(None, (3,), 0).text == "Not answered yet."


@pytest.mark.parametrize("mistakes", [(), (3,), (2, 3)])
def test_the_right_answer_is_right(mistakes):
    assert judge(frozenset(mistakes), mistakes, 0).outcome == "right"


@pytest.mark.parametrize("mistakes", [(), *((number,) for number in MISTAKES), (2, 3)])
@pytest.mark.parametrize("tries", [0, 1])
def test_a_wrong_answer_is_refuted_without_the_right_one(mistakes, tries):
    for number in MISTAKES:
        if number in mistakes:
            continue
        judgement = judge(frozenset({number}), mistakes, tries)
        assert judgement.outcome == "wrong"
        assert mistake(number).tell in judgement.text
        assert [other for other in mistakes if names(judgement.text, other)] == []


def names(text, number):
    """Whether a text names a mistake, or quotes its experiment."""
    title = load_claims()[number - 1].title
    return re.search(rf"\b0?{number}\b", text) is not None or title in text or mistake(number).tell in text


@pytest.mark.parametrize("number", MISTAKES)
def test_a_hint_names_no_mistake(number):
    slugs = [claim.slug for claim in load_claims()]
    assert not re.search(r"\d", look_at((number,)))
    assert [slug for slug in slugs if slug in look_at((number,))] == []


def test_the_second_wrong_answer_says_where_to_look():
    assert mistake(5).look not in judge(frozenset({3}), (5,), 0).text
    assert mistake(5).look in judge(frozenset({3}), (5,), 1).text


def test_half_of_two_mistakes_is_said_to_be_half():
    judgement = judge(frozenset({2}), (2, 3), 0)
    assert judgement.outcome == "partly"
    assert judgement.text.startswith("02 is right. This server does one more thing wrong.")
    assert not names(judgement.text, 3)


def test_one_mistake_too_many_is_refuted():
    judgement = judge(frozenset({2, 3}), (2,), 0)
    assert judgement.outcome == "partly"
    assert judgement.text.startswith("02 is right. Not 03. A server with this mistake")


def test_none_is_a_wrong_answer_for_a_server_with_a_mistake():
    judgement = judge(frozenset(), (3,), 0)
    assert judgement.outcome == "wrong"
    assert judgement.text.startswith("This server does something wrong.")
    assert not names(judgement.text, 3)


def test_there_are_five_cases_and_one_has_two_mistakes():
    cases = load().case
    assert len(cases) == 5
    assert all(len(choice.mistakes) == 2 for choice in cases[-1].choice)
    drawn = {number for case in cases for choice in case.choice for number in choice.mistakes}
    assert drawn == set(MISTAKES)
    # a server without a mistake is among them
    assert any(not choice.mistakes for case in cases for choice in case.choice)


@pytest.mark.parametrize("choice", [choice for case in load().case for choice in case.choice])
def test_a_complaint_names_no_mistake(choice):
    assert choice.complaint
    assert choice.claims
    assert [claim.title for claim in load_claims() if claim.title.lower() in choice.complaint.lower()] == []
