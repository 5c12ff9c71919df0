"""Test a learner's session and the examination, with measurements that are replaced."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from lab.diagnosis import notebook_session
from lab.diagnosis import session as sessions
from lab.diagnosis.answers import describe
from lab.diagnosis.cases import LETTERS, MISTAKES, assign
from lab.diagnosis.measurement import Finding, measure, measure_all
from lab.diagnosis.notebook_session import Examination, Practice
from lab.diagnosis.result_page import as_html, write_page
from lab.diagnosis.session import Session, hand_in, open_letters
from lab.results.claims import load_claims
from lab.results.run import Run
from lab.system.exit_codes import UsageError

SEED = 4


@pytest.fixture
def measured(monkeypatch):
    """Replace the measurement by a number; return the measured letters."""
    letters = []

    async def measure_none(tickets, finished=lambda done: None):
        letters.extend(ticket.letter for ticket in tickets)
        return {ticket: [Finding(load_claims()[ticket.open().claims[0] - 1], Run(12.0))] for ticket in tickets}

    monkeypatch.setattr(sessions, "measure_all", measure_none)
    return letters


def right_answers(seed):
    """Return the right answers, in the form of a learner."""
    return {letter: choice.mistakes or "none" for letter, choice in assign("exam", seed).items()}


def test_an_examination_has_each_mistake_and_none_once():
    for seed in range(20):
        choices = assign("exam", seed).values()
        assert sorted(choice.mistakes for choice in choices) == [(), *((number,) for number in MISTAKES)]


def test_the_same_seed_gives_the_same_servers():
    assert Session("exam", SEED).ticket("C").open() == Session("exam", SEED).ticket("C").open()


def test_an_unknown_letter_is_refused_in_one_line():
    for letter in ("F", "a", "", "AB"):
        for ask in (Session("practice", SEED).ticket, Session("practice", SEED).describe):
            with pytest.raises(UsageError, match=r"there is no server .*; there are A to E"):
                ask(letter)


def test_a_learner_may_try_again():
    session = Session("practice", SEED)
    right = session.ticket("A").open().mistakes
    wrong = next(number for number in MISTAKES if number not in right)
    outcomes = [session.judge("A", guess).outcome for guess in (None, wrong, wrong, right)]
    assert outcomes == ["unanswered", "wrong", "wrong", "right"]


async def test_right_answers_pass_the_examination(measured):
    result = await hand_in(Session("exam", SEED), right_answers(SEED))
    assert result.summary == "11 of 11 servers diagnosed"
    assert sorted(measured) == list(LETTERS)


async def test_wrong_and_missing_answers_do_not_count(measured):
    answers = {**right_answers(SEED), "A": "?"}
    answers["B"] = answers["C"]
    result = await hand_in(Session("exam", SEED), answers)
    assert [row.letter for row in result.rows if not row.is_right] == ["A", "B"]


def test_an_examination_says_which_answers_are_missing():
    session = Session("exam", SEED)
    answers = {**right_answers(SEED), "B": None, "C": "?"}
    del answers["D"]
    assert open_letters(session, answers) == ["B", "D"]


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.sources = [], []

    def handle_starttag(self, tag, attributes):
        self.sources += [value for name, value in attributes if name in ("src", "href")]
        self.open += [tag] if tag not in ("meta", "br") else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


async def test_the_result_page_opens_alone(measured, tmp_path):
    result = await hand_in(Session("exam", SEED), {**right_answers(SEED), "A": "?", "B": "none"})
    path = write_page(result, tmp_path / "new" / "page.html")
    page = path.read_text("utf-8")
    tags = Tags()
    tags.feed(page)
    assert (tags.open, tags.sources) == ([], [])
    assert f"{result.right} of 11 servers diagnosed" in page
    assert page.count("<tr>") == 12
    for row in result.rows:
        assert all(part in page for part in re.findall(r"\d\d", describe(row.mistakes)))
    assert page.count('not_shown">wrong') == 11 - result.right


async def test_texts_of_the_page_are_escaped(measured):
    result = await hand_in(Session("exam", SEED), right_answers(SEED))
    broken = Finding(result.rows[0].findings[0].claim, Run(0.0, broken="<b>late</b>"))
    result.rows[0].__dict__["findings"] = [broken]
    assert "&lt;b&gt;late&lt;/b&gt;" in as_html(result)


def test_a_page_that_cannot_be_written_is_one_line():
    with pytest.raises(UsageError, match=r"cannot write /proc/nowhere/page\.html: "):
        write_page(sessions.ExamResult(1, []), Path("/proc/nowhere/page.html"))


async def test_an_unsolved_notebook_is_told_what_is_missing(capsys):
    await Practice(seed=SEED).answer("A", None)
    await Examination("exam", SEED).hand_in(dict.fromkeys(LETTERS))
    out = capsys.readouterr().out
    assert "Server A.** Not answered yet." in out
    assert "Not answered yet: A, B, C, D, E, F, G, H, I, J, K." in out


async def test_an_answer_that_cannot_be_read_is_refused_in_one_line(monkeypatch):
    shown = []
    monkeypatch.setattr(notebook_session, "show_output", shown.append)
    await Practice(seed=SEED).answer("A", "six")
    await Practice(seed=SEED).answer("Z", 6)
    await Examination("exam", SEED).hand_in({"A": "six"})
    assert len(shown) == 3
    for output, reason in zip(shown, ("'six' is not an answer", "there is no server", "'six' is not"), strict=True):
        assert reason in output.markdown
        assert "\n" not in output.markdown


# one scenario measures times, and all have time limits
@pytest.mark.timing
@pytest.mark.timeout(240)
async def test_the_scenario_of_each_mistake_shows_it_on_its_server():
    tickets = [Session("exam", SEED).ticket(letter) for letter in LETTERS]
    findings = await measure_all(tickets)
    for ticket in tickets:
        for finding in findings[ticket]:
            assert finding.here.broken is None
            # a server meets the good server's bound exactly when it has no mistake
            assert finding.claim.holds("good", finding.here.value) == (not ticket.open().mistakes)


@pytest.mark.slow
async def test_a_right_answer_is_measured_beside_the_good_server():
    seed = next(seed for seed in range(100) if assign("practice", seed)["B"].mistakes == (3,))
    (finding,) = await measure(Session("practice", seed).ticket("B"))
    assert (finding.here.broken, finding.good.broken) == (None, None)
    assert finding.here.value < finding.good.value
    assert "on this server, 100 % on the good server." in str(finding)
