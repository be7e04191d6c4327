"""The queue of waiting jobs: first in, first out for each client, and the clients take turns."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator
from typing import Generic, Protocol, TypeVar

from engine.client.errors import QueueFull


class Waiting(Protocol):
    """What can wait: its owner (a client) and how many bytes it holds while it waits."""

    @property
    def owner(self) -> Hashable: ...

    @property
    def nbytes(self) -> int: ...


Item = TypeVar("Item", bound=Waiting)


class FairQueue(Generic[Item]):
    """Jobs in the order in which they will run.

    limit: jobs in all; per_owner: jobs of one owner; max_bytes: of all jobs together. A job that does not fit is refused
    with QueueFull; a job that is put back (its worker died) always fits.
    """

    def __init__(self, limit: int, per_owner: int, max_bytes: int) -> None:
        self.limit, self.per_owner, self.max_bytes = limit, per_owner, max_bytes
        self.nbytes = 0
        self._first: deque[Item] = deque()
        # An owner's place in this order is its turn: the first one is served next and then goes to the end.
        self._owners: OrderedDict[Hashable, deque[Item]] = OrderedDict()

    def push(self, item: Item) -> None:
        """Put a job at the end of its owner's line. Raises QueueFull."""
        mine = sum(other.owner == item.owner for other in self)
        if len(self) >= self.limit or self.nbytes + item.nbytes > self.max_bytes:
            raise QueueFull(f"The engine already holds {len(self)} waiting jobs.", waiting=len(self), limit=self.limit)
        if mine >= self.per_owner:
            raise QueueFull(
                f"This program already has {mine} jobs waiting; {self.per_owner} are allowed.",
                waiting=mine,
                limit=self.per_owner,
            )
        self._owners.setdefault(item.owner, deque()).append(item)
        self.nbytes += item.nbytes

    def push_front(self, item: Item) -> None:
        """Put a job that had begun before all others."""
        self._first.appendleft(item)
        self.nbytes += item.nbytes

    def pop(self) -> Item:
        """Take the next job out. Raises IndexError when there is none."""
        item = next(iter(self), None)
        if item is None:
            raise IndexError("the queue is empty")
        served = item not in self._first
        self.remove(item)
        if served and item.owner in self._owners:
            self._owners.move_to_end(item.owner)
        return item

    def remove(self, item: Item) -> bool:
        """Take one job out, wherever it is; False if it is not here."""
        line = self._first if item in self._first else self._owners.get(item.owner, deque())
        if item not in line:
            return False
        line.remove(item)
        if not self._owners.get(item.owner, True):
            del self._owners[item.owner]
        self.nbytes -= item.nbytes
        return True

    def __iter__(self) -> Iterator[Item]:
        """The jobs in the order in which they would run if none came."""
        yield from list(self._first)
        lines = [list(line) for line in self._owners.values()]
        for turn in range(max(map(len, lines), default=0)):
            yield from (line[turn] for line in lines if turn < len(line))

    def __len__(self) -> int:
        return len(self._first) + sum(map(len, self._owners.values()))
