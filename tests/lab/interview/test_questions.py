"""Tests of the interview's questions: levels, themes, and no typed number."""

import re
from collections import Counter

import pytest
from lab.interview.live_answers import collect_live_answers
from lab.interview.machine_facts import machine_facts
from lab.interview.question_bank import Question, load_questions
from lab.interview.quotations import QUOTATION, keys, source
from lab.results.claims import load_claims

QUESTIONS = load_questions()
CLAIMS = {claim.id: claim for claim in load_claims()}
EACH = pytest.mark.parametrize("question", QUESTIONS, ids=[question.id for question in QUESTIONS])
# the digits that are allowed in an answer, and why
NAMES_WITH_DIGITS = {
    r"[Cc]laim\s\d\d": "a claim's name",
    r"\bp99\b": "a percentile's name",
    r"\bHTTP/\d(\.\d)?": "the name of a protocol",
}
LEAST_QUESTIONS, LEAST_OF_A_LEVEL = 70, 20
# what an interviewer asks about; all words of a topic must be in one question with its answer
TOPICS = {
    "polling and the upgrade": ("polling", "upgrade", "WebSocket"),
    "SSE": ("Server-Sent Events", "WebSocket"),
    "Socket.IO against WebSocket": ("Socket.IO add", "WebSocket"),
    "Engine.IO": ("Engine.IO", "layer"),
    "namespaces": ("namespace", "one connection"),
    "emit and broadcast": ("socket.broadcast.emit", "io.emit"),
    "except": ("except", "skip_sid"),
    "volatile": ("volatile", "dropped"),
    "ack time-outs": ("socket.timeout", "TimeoutError"),
    "retries": ("`retries`", "ackTimeout"),
    "the client's buffer": ("buffers", "BadNamespaceError"),
    "connection state recovery": ("connection state recovery", "`socket.recovered`"),
    "catch-up by offset": ("offset", "store"),
    "adapters": ("pub/sub", "sharded", "streams", "cluster"),
    "the price of fetchSockets": ("fetchSockets", "asks the whole cluster"),
    "presence across processes": ("lease", "time to live"),
    "last seen and grace period": ("grace period", "last seen"),
    "message order": ("order", "connection"),
    "sequence numbers": ("sequence number", "gap"),
    "typing": ("typing indicator",),
    "receipts": ("read receipts",),
    "push": ("push notification",),
    "nginx time-outs": ("proxy_read_timeout", "ping interval"),
    "file descriptors": ("File descriptors", "ulimit"),
    "ephemeral ports": ("port", "proxy", "TIME_WAIT"),
    "compression": ("permessage-deflate",),
    "cross-site WebSocket hijacking": ("cross-site WebSocket hijacking", "Origin", "SameSite"),
    "tokens in the query": ("query", "logs"),
    "emitting from a worker": ("redis-emitter", "write_only=True"),
    "load testing": ("load test", "coordinated omission"),
    "estimating": ("million users", "deliveries per second"),
}


def written(question: Question) -> str:
    return " ".join(f"{question.ask} {question.answer} {question.then}".split())


def test_there_are_enough_questions_in_three_levels() -> None:
    levels = Counter(question.level for question in QUESTIONS)
    assert len(QUESTIONS) >= LEAST_QUESTIONS
    assert levels.keys() == {1, 2, 3}
    assert min(levels.values()) >= LEAST_OF_A_LEVEL


def test_each_question_is_unique() -> None:
    for field in ("id", "ask", "answer", "then"):
        assert len({getattr(question, field) for question in QUESTIONS}) == len(QUESTIONS), field


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_has_a_question(topic: str) -> None:
    assert any(all(word in written(question) for word in TOPICS[topic]) for question in QUESTIONS)


@EACH
def test_an_answer_contains_no_typed_number(question: Question) -> None:
    texts = (question.answer, question.then, QUOTATION.sub("", question.measured))
    for text in texts:
        for name in NAMES_WITH_DIGITS:
            text = re.sub(name, "", text)
        assert re.findall(r"\d+", text) == []


@EACH
def test_only_the_measured_sentence_quotes_a_number(question: Question) -> None:
    assert keys(question.answer + question.then) == []
    assert bool(keys(question.measured)) == bool(question.measured)
    # a malformed quotation would be shown as it is
    assert "{" not in QUOTATION.sub("", question.measured)


@EACH
def test_every_quoted_claim_has_that_metric(question: Question) -> None:
    for key in keys(question.measured):
        if source(key) in ("asked", "fact"):
            continue
        claim = CLAIMS[source(key)]
        metrics = {also.key for also in claim.also}
        allowed = {"finding", "bad", "good"} | {f"{name}.{side}" for name in metrics for side in ("bad", "good")}
        assert key.partition(".")[2] in allowed


@EACH
def test_an_answer_is_short_enough_to_say_aloud(question: Question) -> None:
    # about thirty seconds aloud, and up to a minute on the higher levels
    most_words = {1: 90, 2: 100, 3: 110}[question.level]
    assert len(question.answer.split()) <= most_words


def quoted_from(name: str) -> set[str]:
    every = [key for question in QUESTIONS for key in keys(question.measured)]
    return {key.partition(".")[2] for key in every if source(key) == name}


async def test_exactly_the_quoted_live_answers_are_collected() -> None:
    assert set(await collect_live_answers()) == quoted_from("asked")


def test_exactly_the_quoted_facts_are_known() -> None:
    # a system may not tell its own limits
    limits = {"open_files", "ephemeral_ports"}
    assert set(machine_facts()) | limits == quoted_from("fact") | limits
    assert all(int(text.replace(",", "")) > 0 for text in machine_facts().values())
