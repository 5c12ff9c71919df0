"""Tests that each input is a valid payload or refused as `invalid`.

The refusal does not repeat the input.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ... import events
from ...errors import Invalid
from ...gateway.refusals import read_payload
from ..stand_in import NoteSend, PinSet

MODELS = sorted(events.Payload.__subclasses__(), key=lambda model: model.__name__)
CANARY = "canary-7f3a"
SOMETHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text().map(lambda text: CANARY + text),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just(CANARY) | st.text(), inner, max_size=3),
    max_leaves=5,
)


def test_there_is_a_payload_for_every_kind_of_event():
    assert set(MODELS) >= {events.AuthRefresh, events.RoomChange, NoteSend, PinSet}


def read(model, arguments):
    try:
        return read_payload(model, arguments)
    except Invalid as refusal:
        return refusal


@given(model=st.sampled_from(MODELS), data=st.data())
def test_any_input_is_a_payload_or_invalid(model, data):
    keys = st.sampled_from([*model.model_fields, CANARY])
    outcome = read(model, data.draw(st.lists(st.dictionaries(keys, SOMETHING) | SOMETHING, max_size=2)))
    if isinstance(outcome, Invalid):
        assert outcome.field is None or outcome.field in model.model_fields
        assert CANARY not in str(outcome.as_error())
    else:
        assert isinstance(outcome, model)


@pytest.mark.parametrize("model", MODELS)
def test_a_payload_is_frozen_strict_and_takes_no_other_keys(model):
    assert model.model_config["frozen"]
    assert model.model_config["extra"] == "forbid"
    assert model.model_config["strict"]
