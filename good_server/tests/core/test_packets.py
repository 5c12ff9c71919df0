"""Tests that the packet parser never fails.

It returns only packets that the server knows, whatever the input.
"""

import json

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from socketio import packet

from ...events import RESERVED
from ...packets import BINARY, MALFORMED, RESERVED_NAME, Json, SafePacket

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
# a text like a packet gets further into the parser than a random text
LIKE_A_PACKET = st.tuples(
    st.sampled_from([*"0123456789", "\u00b2", "-", ""]),
    st.sampled_from(["", "1-", "0-", "99999999999-", "\u00b2-"]),
    st.sampled_from(["", "/", "/x,", "/x?y,", "/x"]),
    st.sampled_from(["", "0", "7", "9" * 120, "\u0661", "\u00b2"]),
    JSON.map(json.dumps) | st.text() | st.sampled_from([f'["{name}"]' for name in RESERVED]),
).map("".join)


@given(LIKE_A_PACKET | st.text() | st.binary())
@example("[" * 100_000)
@example("2" + "[" * 100_000)
@example("5" + "1" * 5000 + "-[]")
@example("2" + "1" * 99 + '["x"]')
def test_the_parser_never_raises_and_returns_known_packets(text):
    parsed = SafePacket(encoded_packet=text)
    assert parsed.attachment_count == 0
    if parsed.packet_type == packet.EVENT:
        name = parsed.data[0]
        assert name in (MALFORMED, BINARY, RESERVED_NAME) or (isinstance(name, str) and name not in RESERVED)
    else:
        assert parsed.packet_type in (packet.CONNECT, packet.DISCONNECT, packet.ACK)
    if parsed.packet_type == packet.ACK:
        assert isinstance(parsed.data, list)
        assert parsed.id


@given(st.text().filter(lambda name: name not in RESERVED), JSON, st.none() | st.integers(0, 2**32))
def test_a_packet_of_a_client_library_is_read_unchanged(name, payload, id):
    written = packet.Packet(packet.EVENT, data=[name, payload], id=id).encode()
    parsed = SafePacket(encoded_packet=written)
    assert (parsed.packet_type, parsed.id) == (packet.EVENT, id)
    # orjson reads integers beyond 64 bits as floats
    assert parsed.data == json.loads(written[written.index("[") :], parse_int=orjson.loads)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999", '"\\ud800"', "[1,]", "{'a': 1}", ""])
def test_invalid_json_is_refused(text):
    with pytest.raises(orjson.JSONDecodeError):
        Json.loads(text)


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_reserved_name_is_recognized(name):
    parsed = SafePacket(encoded_packet=f'27["{name}",{{}}]')
    assert (parsed.data, parsed.id) == ([RESERVED_NAME], 7)


def test_the_id_of_a_malformed_event_is_kept_for_its_ack():
    assert SafePacket(encoded_packet='27["x",NaN]').id == 7


@pytest.mark.parametrize("text", ['2"x"', "2{}", "2[]", {}, ["2"], "x" * 9])
def test_wrong_payloads_are_malformed(text):
    assert SafePacket(encoded_packet=text).data == [MALFORMED]


@pytest.mark.parametrize(
    "text", ['51-["x",{"_placeholder":true,"num":0}]', '61-7["x"]', "51-", b"\x00", bytearray(b"x")]
)
def test_binary_packets_are_refused_as_binary(text):
    assert SafePacket(encoded_packet=text).data == [BINARY]


def test_no_json_text_can_forge_the_marks_of_the_parser():
    for mark in (MALFORMED, RESERVED_NAME):
        assert SafePacket(encoded_packet="2" + json.dumps([mark])).data == [MALFORMED]


def test_the_server_encodes_packets_as_the_library_does():
    message = {"at": 1, "text": "\u20ac \u2028", "level": None}
    ours, theirs = (kind(packet.EVENT, data=["x", message], id=7).encode() for kind in (SafePacket, packet.Packet))
    assert packet.Packet(encoded_packet=ours).data == packet.Packet(encoded_packet=theirs).data
