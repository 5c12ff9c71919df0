"""Test which server process each tab is assigned to.

Users are spread evenly, half of the neighbours in a ring share a process, and the tabs of one user are on different
processes.
"""

from itertools import pairwise

from lab.clients.chat_ring import people
from lab.clients.tab import Person, assign_processes


def test_one_process_has_all_tabs() -> None:
    assert assign_processes(people(5), 1) == [0] * 5


def test_half_of_users_and_neighbours_are_on_the_same_process() -> None:
    processes = assign_processes(people(48), 2)
    assert processes.count(0) == processes.count(1) == 24
    assert [process == neighbour for process, neighbour in pairwise([*processes, processes[0]])].count(True) == 24


def test_tabs_of_one_user_are_on_different_processes() -> None:
    ana, bob = Person("ana"), Person("bob")
    processes = assign_processes([ana, bob, ana, bob, ana], 3)
    assert sorted(processes[::2]) == [0, 1, 2]
    assert processes[1] != processes[3]
