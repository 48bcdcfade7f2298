"""Which server a request goes to, and in what order those of one server go."""

from __future__ import annotations

import hashlib
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar


class Routed(Protocol):
    """What has a route."""

    @property
    def route(self) -> str: ...


T = TypeVar("T", bound=Routed)


def ranked(route: str, servers: Sequence[str]) -> list[int]:
    """The servers by how much they are a route's own: rendezvous hashing (Thaler and Ravishankar 1998).

    A server that leaves takes no route from another.
    """
    if len(servers) == 1:
        return [0]

    def weight(number: int) -> bytes:
        return hashlib.blake2b(f"{servers[number]}\0{route}".encode("utf-8", "replace"), digest_size=8).digest()

    return sorted(range(len(servers)), key=weight, reverse=True)


class Line(Generic[T]):
    """Requests that wait for one server: first come, first served, but those of a route follow one another.

    While one of a route is in flight, other routes go first, and when it is back, its next goes before all others: so
    a prefix is in the server's cache when it is wanted again. If nothing else waits, they go at once.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, deque[T]] = {}
        self._free: OrderedDict[str, None] = OrderedDict()  # routes with requests that wait and none in flight
        self._busy: OrderedDict[str, None] = OrderedDict()  # with requests that wait and others in flight
        self._in_flight: dict[str, int] = {}
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, request: T, first: bool = False) -> None:
        """Puts it at the end, or before all others."""
        route = request.route
        line = self._waiting.setdefault(route, deque())
        line.appendleft(request) if first else line.append(request)
        self._length += 1
        routes = self._busy if route in self._in_flight else self._free
        routes[route] = None
        if first:
            routes.move_to_end(route, last=False)

    def next(self) -> T:
        """The one that goes next, which stays. The line is not empty."""
        return self._waiting[self._next_route()][0]

    def take(self) -> T:
        """Takes the one that goes next; its route has one more in flight. The line is not empty."""
        route = self._next_route()
        request = self._remove(route)
        self._in_flight[route] = self._in_flight.get(route, 0) + 1
        if route in self._waiting:
            self._free.pop(route, None)
            self._busy[route] = None
        return request

    def came_back(self, route: str) -> None:
        """One that was taken is no longer in flight."""
        left = self._in_flight[route] - 1
        if left:
            self._in_flight[route] = left
            return
        del self._in_flight[route]
        if route in self._busy:
            del self._busy[route]
            self._free[route] = None
            self._free.move_to_end(route, last=False)

    def give_up(self, at_any_cost: bool) -> list[T]:
        """Takes all requests of the route that would go last, for another server to take. The line is not empty.

        A route with a request in flight stays, since its prefix is in this server's cache; unless `at_any_cost`.
        """
        routes = self._free or (self._busy if at_any_cost else None)
        if not routes:
            return []
        route = next(reversed(routes))
        return [self._remove(route) for _ in range(len(self._waiting[route]))]

    def _next_route(self) -> str:
        return next(iter(self._free or self._busy))

    def _remove(self, route: str) -> T:
        line = self._waiting[route]
        request = line.popleft()
        self._length -= 1
        if not line:
            del self._waiting[route]
            self._free.pop(route, None)
            self._busy.pop(route, None)
        return request
