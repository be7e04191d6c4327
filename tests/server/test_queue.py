"""The queue of waiting jobs, without an engine."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.client.errors import QueueFull
from engine.server.queue import FairQueue


@dataclass(eq=False)
class Item:
    owner: str
    name: int
    nbytes: int = 1


def queue(*items, limit=100, per_owner=100, max_bytes=1000):
    made = FairQueue(limit, per_owner, max_bytes)
    for item in items:
        made.push(item)
    return made


def drain(queue):
    return [(item.owner, item.name) for item in iter_pop(queue)]


def iter_pop(queue):
    while len(queue):
        yield queue.pop()


def test_clients_take_turns_and_each_keeps_its_order():
    q = queue(Item("a", 1), Item("a", 2), Item("a", 3), Item("b", 1), Item("c", 1), Item("b", 2))
    assert drain(q) == [("a", 1), ("b", 1), ("c", 1), ("a", 2), ("b", 2), ("a", 3)]


def test_a_client_that_was_just_served_is_last_in_turn():
    q = queue(Item("a", 1), Item("a", 2), Item("b", 1))
    assert q.pop().owner == "a"
    q.push(Item("c", 1))
    assert drain(q) == [("b", 1), ("a", 2), ("c", 1)]


def test_a_job_put_back_is_first_and_costs_no_turn():
    q = queue(Item("a", 1), Item("b", 1))
    first = q.pop()
    q.push_front(first)
    assert drain(q) == [("a", 1), ("b", 1)]


def test_what_may_wait_is_limited_in_number_by_client_and_in_bytes():
    with pytest.raises(QueueFull) as caught:
        queue(*[Item(str(n), n) for n in range(4)], limit=3)
    assert caught.value.detail == {"waiting": 3, "limit": 3}
    with pytest.raises(QueueFull) as caught:
        queue(Item("a", 1), Item("a", 2), Item("a", 3), per_owner=2)
    assert caught.value.detail == {"waiting": 2, "limit": 2}
    with pytest.raises(QueueFull):
        queue(Item("a", 1, 600), Item("b", 1, 401))
    q = queue(Item("a", 1, 600))
    item = q.pop()
    q.push(Item("b", 1, 1000))
    q.push_front(item)
    assert q.nbytes == 1600


def test_remove():
    item, absent = Item("a", 2), Item("b", 1)
    q = queue(Item("a", 1), item)
    assert q.remove(item) and not q.remove(item) and not q.remove(absent)
    assert drain(q) == [("a", 1)] and q.nbytes == 0
    with pytest.raises(IndexError):
        q.pop()


@given(st.lists(st.one_of(st.sampled_from("abc"), st.just("pop"), st.just("remove")), max_size=40))
def test_iteration_foretells_the_order(actions):
    q = queue()
    for number, action in enumerate(actions):
        waiting = list(q)
        if action == "pop" and waiting:
            assert q.pop() is waiting[0]
        elif action == "remove" and waiting:
            q.remove(waiting[len(waiting) // 2])
        elif len(action) == 1:
            q.push(Item(action, number))
        assert len(q) == len(list(q)) == q.nbytes
    foretold = list(q)
    assert list(iter_pop(q)) == foretold
