"""How requests go to the servers of one teacher and what is done about what comes back; all on one event loop."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from synth.request import Request, Response
from synth.teachers import TeacherStopped, Unanswered
from synth.teachers.breaker import Breaker
from synth.teachers.clock import Clock
from synth.teachers.feed import Feed
from synth.teachers.limiter import Limiter, Reserved
from synth.teachers.outcomes import Found, Outcome
from synth.teachers.rates import rates, retry_after
from synth.teachers.routes import Line, ranked

#: How often a request is asked in one round, and how many rounds there are; between them, all others are asked.
TRIES = 8
ROUNDS = 3
#: How often it may be turned away in a round for want of room or of a server: those say nothing about the request.
TURNS = 32
#: If a teacher refuses so many requests and answers none, it is not the requests.
REFUSALS = 20
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 60.0
_TOLD_WAIT_S = 30.0  # a server that wants to be left alone for longer is worth a line
_GRACE_S = 5.0
_PARKED = 1024
_GO_ON = "everything answered so far is stored; run again to go on"


class Reply(NamedTuple):
    """What came of one call: what it means, and the response, if there was one."""

    found: Found
    status: int = 0
    body: bytes = b""
    headers: Mapping[str, str] = {}


@dataclass(slots=True, eq=False)
class Ticket:
    """A request on its way. `failures` and `turns` of this round; `placed`: it has a place of the feed."""

    request: Request
    attempts: int = 0
    failures: int = 0
    turns: int = 0
    round: int = 1
    reason: str = ""
    placed: bool = True

    @property
    def route(self) -> str:
        return self.request.route


class _Sent(NamedTuple):
    """A request that went. `probe`: to see whether its server is back."""

    ticket: Ticket
    reserved: Reserved
    probe: bool


@dataclass(slots=True, eq=False)
class Server:
    """One replica. `label`: its URL as messages have it; `wakes_at`: when it is looked at again."""

    url: str
    label: str
    limiter: Limiter
    breaker: Breaker
    line: Line[Ticket] = field(default_factory=Line)
    wakes_at: float = math.inf

    def wait(self, now: float) -> float:
        """Seconds until the next of its line may go; infinite: until something comes back."""
        wait = self.breaker.wait(now)
        return wait if wait > 0 else self.limiter.wait(self.line.next().request.tokens, now)


class Asking:
    """The requests of one call of `answer`. Everything runs on the loop that `run` runs on."""

    def __init__(
        self,
        name: str,
        servers: list[Server],
        patience_s: float,
        clock: Clock,
        random: Random,
        post: Callable[[str, bytes], Awaitable[Reply]],
        keep: Callable[[Response], None],
        say: Callable[[str], None],
    ) -> None:
        self.unanswered: list[Unanswered] = []
        self.error: BaseException | None = None
        self._name = name
        self._servers = servers
        self._urls = [each.url for each in servers]
        self._patience_s = patience_s
        self._clock = clock
        self._random = random
        self._post = post
        self._keep = keep
        self._say = say
        self._open: dict[str, Ticket] = {}  # by key: all that are neither kept nor given up
        self._parked: list[Ticket] = []
        self._withheld: list[tuple[Ticket, Response]] = []  # refusals, until an answer shows that it is the requests
        self._answered = self._refused = self._in_flight = 0
        self._ending = False
        self._over = asyncio.Event()
        self._calls: set[asyncio.Task[None]] = set()
        self._timers: set[asyncio.Task[None]] = set()

    async def run(self, feed: Feed) -> None:
        """Asks until all is done or it is over; `error` says whether it is over for a reason."""
        self._feed = feed
        feed.start()
        try:
            await self._over.wait()
        finally:
            for task in (*self._calls, *self._timers):
                task.cancel()
            await asyncio.gather(*self._calls, *self._timers, return_exceptions=True)

    def look(self) -> None:
        """The feed has something, or nothing more."""
        for request in self._feed.take():
            if request.key in self._open:  # the same twice is asked once
                self._feed.done(request)
                continue
            ticket = self._open[request.key] = Ticket(request)
            self._line_up(ticket)
        self._go_on()

    def end(self, error: BaseException | None = None) -> None:
        """Takes nothing more; what is in flight has a few seconds to come back."""
        if self._ending:
            return
        self._ending, self.error = True, error
        self._later(_GRACE_S, self._over.set)
        self._go_on()

    def abort(self) -> None:
        """Nobody keeps anything any more."""
        self._ending = True
        self._over.set()

    # What goes.

    def _go_on(self) -> None:
        """Sends what may go, and ends if there is nothing left to do."""
        if self._holds_back():
            if self._in_flight:
                return
            if self._ending:
                self._over.set()
            else:
                self._stop(self._servers[0], self._all_refused(), " ")
            return
        for server in self._servers:
            while (sent := self._next(server)) is not None:
                self._start(self._calls, self._call(server, sent))
        if self._feed.is_over:
            self._finish()

    def _holds_back(self) -> bool:
        """Whether nothing goes any more."""
        return self._ending or (self._refused >= REFUSALS and not self._answered)

    def _finish(self) -> None:
        left = len(self._open) - len(self._withheld)
        if self._feed.error is not None:
            self.end(self._feed.error)
        elif not self._open:
            self.end()
        elif not left:
            self._keep_withheld()
        elif left == len(self._parked):
            self._unpark(left)
            self._go_on()

    def _line_up(self, ticket: Ticket, first: bool = False) -> None:
        """Puts it into the line of its server, or of the next one that is there."""
        order = ranked(ticket.route, self._urls)
        number = next((each for each in order if not self._servers[each].breaker.is_open), order[0])
        self._servers[number].line.add(ticket, first)

    def _next(self, server: Server) -> _Sent | None:
        """The next of a server's line, if it may go now: it counts as gone."""
        if server.limiter.is_full or self._holds_back():
            return None
        now = self._clock.now()
        if not len(server.line) and not self._takes_over(server, now):
            return None
        wait = server.wait(now)
        if wait > 0:
            self._wake(server, now, wait)
            return None
        ticket = server.line.take()
        probe = server.breaker.probing = server.breaker.is_open
        ticket.attempts += 1
        self._in_flight += 1
        return _Sent(ticket, server.limiter.sent(ticket.request.tokens, now), probe)

    def _takes_over(self, server: Server, now: float) -> bool:
        """A server with nothing to do takes a route from the one that has most to do and cannot do it now."""
        others = [each for each in self._servers if each is not server and len(each.line)]
        if not others or server.breaker.wait(now) > 0 or server.limiter.wait(0, now) > 0:
            return False
        busiest = max(others, key=lambda each: len(each.line))
        probes = server.breaker.is_open
        if not probes and (not self._feed.is_idle or busiest.wait(now) <= 0):
            return False
        tickets = busiest.line.give_up(at_any_cost=probes)
        for ticket in tickets:
            server.line.add(ticket)
        return bool(tickets)

    async def _call(self, server: Server, sent: _Sent | None) -> None:
        """A call, and then the next one: a task for each would cost as much as all else that is done about it."""
        while sent is not None:
            reply = await self._post(server.url, sent.ticket.request.body)
            self._in_flight -= 1
            self._came_back(server, sent, reply)
            sent = self._next(server)
            self._go_on()

    # What comes back.

    def _came_back(self, server: Server, sent: _Sent, reply: Reply) -> None:
        ticket, reserved, probe = sent
        now = self._clock.now()
        told = rates(reply.headers)
        if told is not None:
            server.limiter.learn(told, now)
        if reply.found.outcome is Outcome.ANSWERED or reply.found.outcome is Outcome.REFUSED:
            seconds = now - reserved.moment
            response = Response(
                ticket.request.key, reply.status, reply.body, self._clock.wall(), ticket.attempts, seconds
            )
            self._succeeded(server, reserved, ticket, response, reply.found)
            self._release(server, ticket)
        else:
            self._release(server, ticket)
            self._failed(server, reserved, ticket, reply, probe)

    def _succeeded(self, server: Server, reserved: Reserved, ticket: Ticket, response: Response, found: Found) -> None:
        """The server answered, or refused this request for good: either way it is there."""
        server.limiter.answered(reserved, found.tokens)
        if server.breaker.succeeded() and not self._ending:
            self._say(f"teacher {self._name}: {server.label} answers again")
            server.limiter.restart()
            self._spread()
        if found.outcome is Outcome.REFUSED:
            self._refused += 1
            if not self._answered:
                ticket.reason = found.reason
                self._withheld.append((ticket, response))
                return
        else:
            self._answered += 1
            if self._withheld:
                self._keep_withheld()
        self._keep(response)
        self._close(ticket)

    def _keep_withheld(self) -> None:
        withheld, self._withheld = self._withheld, []
        for ticket, response in withheld:
            self._keep(response)
            self._close(ticket)

    def _failed(self, server: Server, reserved: Reserved, ticket: Ticket, reply: Reply, probe: bool) -> None:
        found, now = reply.found, self._clock.now()
        ticket.reason = found.reason
        if self._ending:
            return
        if found.outcome is Outcome.STOPPED:
            self._line_up(ticket, first=True)
            self._stop(server, f"{found.reason}: {_advice(reply)}")
            return
        asked_s = retry_after(reply.headers, self._clock.wall())
        was_open = server.breaker.is_open
        self._blame(server, reserved, ticket, reply, asked_s, probe)
        if found.outcome is Outcome.BROKEN:
            # Of those that were in flight when the server went, none is to blame; a probe that it answered may be.
            ticket.failures += probe or not was_open
        elif not server.breaker.is_open:
            ticket.turns += 1
        self._ask_again(server, ticket, found, asked_s, probe)
        opened = server.breaker.is_open and not was_open
        if opened:
            self._spread()
        if opened or probe:
            self._watch(now)
        if opened and not self._ending:
            self._say(self._waits(server))

    def _blame(
        self, server: Server, reserved: Reserved, ticket: Ticket, reply: Reply, asked_s: float | None, probe: bool
    ) -> None:
        """What a failure says about the server."""
        found, now = reply.found, self._clock.now()
        counts = found.outcome is not Outcome.THROTTLED
        if found.outcome is Outcome.THROTTLED or (found.slow and asked_s is not None):
            counts |= server.limiter.refused(reserved, asked_s, now)
            if asked_s is not None and _TOLD_WAIT_S <= asked_s <= self._patience_s and not server.breaker.is_open:
                self._say(f"teacher {self._name}: {server.label} asks to wait {asked_s:.0f} s ({found.reason})")
        elif found.slow:
            server.limiter.slower(reserved, now)
        if asked_s is not None and asked_s > self._patience_s:
            server.breaker.away(found.reason, asked_s, now)
        elif probe:
            server.breaker.probe_failed(found.reason, found.outcome is Outcome.BROKEN, now)
        elif counts:
            # One request that always fails counts once; a server that nobody is at, each time.
            there = found.outcome is Outcome.BROKEN
            by = ticket.request.key if there else f"{ticket.request.key} {ticket.attempts}"
            server.breaker.failed(found.reason, there, by, now)

    def _ask_again(self, server: Server, ticket: Ticket, found: Found, asked_s: float | None, probe: bool) -> None:
        if ticket.failures >= TRIES or ticket.turns >= TURNS:
            self._next_round(ticket)
        elif server.breaker.is_open:
            self._line_up(ticket, first=not probe)  # another one probes next
        elif found.outcome is Outcome.THROTTLED or (found.outcome is Outcome.BROKEN and not ticket.failures):
            self._line_up(ticket, first=True)  # the limiter waits, or nobody needs to
        else:
            again = ticket.failures if found.outcome is Outcome.BROKEN else 1  # the breaker waits longer
            wait = min(_FIRST_WAIT_S * 2.0 ** (again - 1), _LONGEST_WAIT_S) * self._random.uniform(0.5, 1.0)
            self._later(max(asked_s or 0.0, wait), lambda: self._line_up_and_go(ticket))

    def _line_up_and_go(self, ticket: Ticket) -> None:
        self._line_up(ticket, first=True)
        self._go_on()

    def _next_round(self, ticket: Ticket) -> None:
        """Behind all others, or given up."""
        if ticket.round >= ROUNDS:
            self._give_up(ticket)
            return
        ticket.round += 1
        ticket.failures = ticket.turns = 0
        self._leave_place(ticket)
        self._parked.append(ticket)
        if len(self._parked) > _PARKED:
            self._unpark(_PARKED // 2)

    def _unpark(self, count: int) -> None:
        now, self._parked = self._parked[:count], self._parked[count:]
        for ticket in now:
            self._line_up(ticket)

    def _give_up(self, ticket: Ticket) -> None:
        self.unanswered.append(Unanswered(ticket.request.key, f"{ticket.reason} ({ticket.attempts} attempts)"))
        self._close(ticket)

    def _close(self, ticket: Ticket) -> None:
        self._open.pop(ticket.request.key, None)
        self._leave_place(ticket)

    def _leave_place(self, ticket: Ticket) -> None:
        if ticket.placed:
            ticket.placed = False
            self._feed.done(ticket.request)

    def _release(self, server: Server, ticket: Ticket) -> None:
        server.limiter.came_back(ticket.request.tokens)
        server.line.came_back(ticket.route)

    # Servers that are away.

    def _spread(self) -> None:
        """What waits for servers that are away goes to others, if there are some."""
        if all(each.breaker.is_open for each in self._servers):
            return
        for server in self._servers:
            while server.breaker.is_open and len(server.line):
                for ticket in server.line.give_up(at_any_cost=True):
                    self._line_up(ticket)

    def _watch(self, now: float) -> None:
        """Stops if all servers were away for longer than there is patience for, or want to be."""
        breakers = [each.breaker for each in self._servers]
        since = [each.since for each in breakers if each.since is not None]
        if self._ending or len(since) < len(breakers):
            return
        server = self._servers[0]
        if all(each.asked_s > self._patience_s for each in breakers):
            self._stop(server, f"asks to wait {breakers[0].asked_s:.0f} s ({breakers[0].last}); {_GO_ON}", " ")
            return
        left = max(since) + self._patience_s - now
        if left > 0:
            self._later(left, lambda: self._watch(self._clock.now()))
        elif self._feed.is_over and self._answered and all(each.there for each in breakers):
            # It answers, only not these.
            for ticket in [each for each in self._open.values() if each.reason]:
                self._give_up(ticket)
            self.end()
        else:
            self._stop(server, f"does not answer ({breakers[0].last}); {_GO_ON}", " ")

    def _waits(self, server: Server) -> str:
        others = sum(not each.breaker.is_open for each in self._servers)
        then = "the others go on" if others else f"waiting up to {self._patience_s:.0f} s for it"
        return f"teacher {self._name}: {server.label} does not answer ({server.breaker.last}); {then}"

    def _stop(self, server: Server, why: str, joint: str = ": ") -> None:
        self.end(TeacherStopped(f"teacher {self._name}: {server.label}{joint}{why}"))

    def _all_refused(self) -> str:
        reason = self._withheld[-1][0].reason
        return f"refused all of the first {self._refused} requests and answered none ({reason}): correct its parameters"

    # Time.

    def _wake(self, server: Server, now: float, wait: float) -> None:
        """Looks at it again after a while, unless it will be looked at sooner."""
        if wait == math.inf or now < server.wakes_at <= now + wait + 1e-3:
            return
        at = server.wakes_at = now + wait

        def woken() -> None:
            if server.wakes_at == at:
                server.wakes_at = math.inf
            self._go_on()

        self._later(wait, woken)

    def _later(self, seconds: float, then: Callable[[], None]) -> None:
        async def wait() -> None:
            await self._clock.sleep(seconds)
            then()

        self._start(self._timers, wait())

    def _start(self, among: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        among.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        self._timers.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.error = self.error or task.exception()
            self.abort()


def _advice(reply: Reply) -> str:
    """What to do about a server that refuses all."""
    if reply.status in (401, 403):
        return "check its key"
    if reply.status in (402, 429):
        return f"its quota is used up; {_GO_ON}"
    if 300 <= reply.status < 400:
        return "redirects are not followed; give the URL that it leads to"
    if reply.status == 0:
        return "check its URL"
    return "check its model, its URL and its API"
