"""Tests of the Leitner boxes of the quiz, with a fake clock."""

from datetime import date, timedelta

import pytest
from lab.interview import quiz_file
from lab.interview.leitner import LAST_BOX, WAIT_DAYS, Card, count_by_box, due_questions, move, next_due
from lab.interview.question_bank import load_questions
from lab.interview.quiz_file import QuizFileError

MONDAY = date(2026, 3, 2)
FIRST, SECOND, THIRD = load_questions()[:3]


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(quiz_file, "quiz_path", lambda: tmp_path / "state" / "quiz.json")


def day(number):
    """Return the day that is `number` days after Monday."""
    return MONDAY + timedelta(days=number)


def test_known_answers_move_a_question_up_to_the_last_box():
    card, today, seen = None, MONDAY, []
    for _ in range(6):
        card = move(card, known=True, today=today)
        seen.append((card.box, (card.due - today).days))
        today = card.due
    assert seen == [(2, 2), (3, 4), (4, 8), (5, 16), (5, 16), (5, 16)]


@pytest.mark.parametrize("box", range(1, LAST_BOX + 1))
def test_an_unknown_answer_moves_a_question_to_the_first_box(box):
    card = move(Card(box=box, due=MONDAY), known=False, today=MONDAY)
    assert card == Card(box=1, due=day(WAIT_DAYS[0]))


def test_a_new_unknown_question_comes_back_tomorrow():
    assert move(None, known=False, today=MONDAY) == Card(box=1, due=day(1))


def test_waits_grow_from_box_to_box():
    assert list(WAIT_DAYS) == sorted(set(WAIT_DAYS))
    assert len(WAIT_DAYS) == LAST_BOX == 5


def test_the_longest_due_question_comes_first_and_new_ones_last():
    cards = {SECOND.id: Card(box=2, due=day(-1)), THIRD.id: Card(box=3, due=day(-4))}
    assert due_questions([FIRST, SECOND, THIRD], cards, today=MONDAY) == [THIRD, SECOND, FIRST]


def test_new_questions_come_in_the_order_of_their_levels():
    levels = [question.level for question in due_questions(load_questions(), {}, today=MONDAY)]
    assert levels == sorted(levels)
    assert len(levels) == len(load_questions())


def test_a_question_is_due_on_its_day_and_not_before():
    cards = {FIRST.id: Card(box=3, due=day(3))}
    assert due_questions([FIRST], cards, today=day(2)) == []
    assert due_questions([FIRST], cards, today=day(3)) == [FIRST]


def test_the_next_due_day_and_its_number_of_questions():
    cards = {
        FIRST.id: Card(box=1, due=day(2)),
        SECOND.id: Card(box=1, due=day(2)),
        THIRD.id: Card(box=4, due=day(9)),
    }
    assert next_due([FIRST, SECOND, THIRD], cards, today=MONDAY) == (day(2), 2)
    assert next_due([FIRST, SECOND, THIRD], cards, today=day(9)) is None


def test_questions_are_counted_by_box():
    cards = {FIRST.id: Card(box=5, due=MONDAY), "a-question-of-an-older-version": Card(box=1, due=MONDAY)}
    assert count_by_box([FIRST, SECOND, THIRD], cards) == {0: 2, 1: 0, 2: 0, 3: 0, 4: 0, 5: 1}


def test_an_answer_is_stored_at_once_and_others_are_kept():
    quiz_file.record_answer(FIRST.id, known=True, today=MONDAY)
    quiz_file.record_answer(SECOND.id, known=False, today=MONDAY)
    assert quiz_file.load().cards == {FIRST.id: Card(box=2, due=day(2)), SECOND.id: Card(box=1, due=day(1))}
    assert [path.name for path in quiz_file.quiz_path().parent.iterdir()] == ["quiz.json"]


@pytest.mark.parametrize(
    "content", ["[]", "not json", '{"cards": {"room": {"box": 9, "due": "2026-03-02"}}}', '{"version": 2}', "\x00"]
)
def test_a_broken_record_says_how_to_begin_a_new_one(content):
    quiz_file.quiz_path().parent.mkdir()
    quiz_file.quiz_path().write_text(content)
    with pytest.raises(QuizFileError, match="not a record of the quiz; lab quiz --reset begins a new one"):
        quiz_file.record_answer(FIRST.id, known=True, today=MONDAY)
    assert quiz_file.quiz_path().read_text() == content
    quiz_file.reset()
    assert quiz_file.load().cards == {}
