"""Compares the event stream of a session with what its clients received."""

from collections import Counter

from good_server import events

FOLLOWED = (events.CHAT_MESSAGE, events.TRACKING_POSITION, events.REPORT_READY)
FATES = ("delivered", "lost", "wasted")


def in_events(session, side):
    """Return how many messages each tab received, by the events."""
    return Counter(
        event.to
        for event in session.stream.events
        if event.side == side and event.kind in ("delivered", "wasted") and event.to is not None
    )


def in_inboxes(session, side):
    """Return how many messages each tab has really received, the crowd's included."""
    of_side = session.sides[side]
    inboxes = {tab.name: tab.tab.inbox for tab in of_side.tabs.values()}
    if of_side.extras.crowd is not None:
        inboxes |= {name: tab.inbox for name, tab in of_side.extras.crowd.tabs.items()}
    found = {name: sum(received.event in FOLLOWED for received in inbox.all) for name, inbox in inboxes.items()}
    return +Counter(found)


def assert_nothing_is_invented(session):
    """The stream has what the clients received, and nothing else.

    The counters are its sums.
    """
    for name, side in session.sides.items():
        assert in_events(session, name) == in_inboxes(session, name)
        kinds = Counter(event.kind for event in session.stream.events if event.side == name)
        assert {kind: kinds[kind] for kind in FATES} == side.ledger.counters
        connects = Counter(
            event.origin for event in session.stream.events if (event.side, event.kind) == (name, "connect")
        )
        assert connects == Counter({tab.name: tab.tab.connects for tab in side.tabs.values()})
        assert_answers_arrived(side.extras.pulses)


def assert_answers_arrived(pulses):
    """Every answer to a bystander means a message for the next one."""
    if pulses is not None:
        after = [*pulses.received[1:], pulses.received[0]]
        assert all(answers <= received for answers, received in zip(pulses.answers, after, strict=True))
        assert sum(pulses.answers) > 0
