"""Tests the counts of lost and repeated messages in lesson 14."""

from lab.scaling.guarantees import WAYS, Outcome


def test_losses_and_repeats_are_counted_per_message():
    outcome = Outcome(WAYS[0], written=["a", "b", "c"], shown=["a", "c", "c", "c"], cut_before=[2])
    assert outcome.times_shown == [1, 0, 3]
    assert (outcome.lost, outcome.duplicates, outcome.cuts) == (1, 2, 1)
    assert not outcome.is_exact


def test_a_conversation_is_exact_only_in_its_order():
    assert Outcome(WAYS[3], written=["a", "b"], shown=["a", "b"]).is_exact
    assert not Outcome(WAYS[3], written=["a", "b"], shown=["b", "a"]).is_exact
