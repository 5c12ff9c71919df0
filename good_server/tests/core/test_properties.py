"""Tests with generated events: no crash, one ack, no repeated input."""

import pytest
from hypothesis import strategies as st

from ...events import RESERVED
from ...settings import Settings
from .. import stand_in
from ..generated_events import check_answer, check_next_event, events_of, explore, spoiled_events_of
from ..stand_in import PLAIN, PRIVILEGED

ROUTES = stand_in.create_routes(stand_in.create_parts(Settings()))
PACKETS = st.tuples(
    st.sampled_from(["42", "43", "420", "43/x,", "42/x,", "45", "451-", "46", "49", "4", "40/,", "\x34\u00b2"]),
    st.text(),
).map("".join)


@pytest.mark.parametrize("role", [PLAIN, PRIVILEGED])
@pytest.mark.row(23)
async def test_every_payload_is_answered_once_and_never_repeated(serve, role):
    await explore(serve, events_of(ROUTES), check_answer, role)


async def test_every_spoiled_event_is_answered_once_and_never_repeated(serve):
    await explore(serve, spoiled_events_of(ROUTES), check_answer, PRIVILEGED)


def keeps_the_next_ack(text):
    return not text.startswith("428") and not any(f'"{name}"' in text for name in RESERVED)


async def test_no_packet_harms_the_one_after_it(serve):
    await explore(serve, PACKETS.filter(keeps_the_next_ack), check_next_event, PLAIN)
