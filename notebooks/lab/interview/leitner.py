"""Spaced repetition with Leitner boxes: which question is due on which day.

There are five boxes, and each answered question is in one of them. After a known answer, the question moves one box up.
After an unknown answer, it moves back to box 1. The higher the box, the longer the wait until the question is due
(asked again).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from lab.interview.question_bank import Question

# one per box; each wait is twice the one before
WAIT_DAYS = (1, 2, 4, 8, 16)
FIRST_BOX, LAST_BOX = 1, len(WAIT_DAYS)


class Card(BaseModel):
    """The level of a question, and the day of its next repetition.

    The level is a Leitner box from 1 to 5. A question that the learner knows moves to a higher box, and is due later.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    box: Annotated[int, Field(ge=FIRST_BOX, le=LAST_BOX)]
    due: date


Cards = Mapping[str, Card]


def move(card: Card | None, *, known: bool, today: date) -> Card:
    """Return the new card of a question that was answered today.

    A card has the question's level (its Leitner box) and the day on which the question is asked again. After a known
    answer the box is one higher, at most 5; after an unknown answer it is 1. `known` says whether the learner knew the
    answer. `card` is None for a new question, which counts as a question in box 1.
    """
    before = FIRST_BOX if card is None else card.box
    box = min(before + 1, LAST_BOX) if known else FIRST_BOX
    return Card(box=box, due=today + timedelta(days=WAIT_DAYS[box - 1]))


def due_questions(questions: Iterable[Question], cards: Cards, *, today: date) -> list[Question]:
    """Return the questions to ask today: due questions, then new ones.

    `cards` maps the ids of questions that were answered before to cards; a card has the day on which its question is
    due. The question that has been due longest comes first. A new question is one without a card. Of the new questions,
    the easiest come first.
    """
    asked = list(questions)
    due = [question for question in asked if question.id in cards and cards[question.id].due <= today]
    new = [question for question in asked if question.id not in cards]
    return sorted(due, key=lambda question: cards[question.id].due) + sorted(new, key=lambda question: question.level)


def next_due(questions: Sequence[Question], cards: Cards, *, today: date) -> tuple[date, int] | None:
    """Return the next day after today with due questions, and their number.

    A question is due on the day that its card in `cards` names. Returns None if no question is due on a later day.
    """
    days = Counter(cards[question.id].due for question in questions if question.id in cards)
    later = [day for day in days if day > today]
    return (min(later), days[min(later)]) if later else None


def count_by_box(questions: Iterable[Question], cards: Cards) -> dict[int, int]:
    """Return how many questions are at each level, as a dict.

    Level 1 to 5 is the question's Leitner box: the better the learner knows a question, the higher its box. Level 0 has
    the questions that were never answered; they have no card in `cards`.
    """
    counts = Counter(cards[question.id].box if question.id in cards else 0 for question in questions)
    return {box: counts[box] for box in range(LAST_BOX + 1)}
