"""Where tabs go on a server of several processes: users evenly, neighbours together and apart, tabs apart."""

from itertools import pairwise

from lab.clients.chat_ring import people
from lab.clients.tab import Person, assign_processes


def test_one_process_has_all_tabs() -> None:
    assert assign_processes(people(5), 1) == [0] * 5


def test_half_of_the_users_are_on_each_process_and_half_of_the_neighbours_together() -> None:
    found = assign_processes(people(48), 2)
    assert found.count(0) == found.count(1) == 24
    assert [one == next_one for one, next_one in pairwise([*found, found[0]])].count(True) == 24


def test_the_tabs_of_one_user_are_on_different_processes_also_when_others_come_between() -> None:
    ana, bob = Person("ana"), Person("bob")
    found = assign_processes([ana, bob, ana, bob, ana], 3)
    assert sorted(found[::2]) == [0, 1, 2]
    assert found[1] != found[3]
