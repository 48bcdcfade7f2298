"""How much one server is asked at a time, and in a minute. It knows no clock: moments are given, in seconds."""

from __future__ import annotations

import math
from collections import deque
from random import Random

from synth.teachers.rates import Rate

#: Requests in flight until the first answer, at most; a server that answers soon gets more with each answer.
FIRST = 16
#: What remains of the concurrency after a refusal; what it gains with each answer at first, and later in the time of
#: one answer (that share of the most, but no more than it is).
_DECREASE = 0.7
_FIRST_STEP = 4.0
_INCREASE = 1 / 16
_MINUTE_S = 60.0
_SHORTEST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 60.0


class Reserved:
    """What a request was counted as, and when."""

    __slots__ = ("cost", "counts", "moment")

    def __init__(self, moment: float, cost: float, counts: bool) -> None:
        self.moment = moment
        self.cost = cost
        self.counts = counts


class Minute:
    """What was spent in the last minute, exactly: a log of it. So no minute, wherever it begins, has more than `limit`.

    A single request that costs more than `limit` goes when nothing else was spent for a minute.
    """

    def __init__(self, limit: float | None) -> None:
        self.limit = limit
        self._log: deque[Reserved] = deque()
        self._spent = 0.0

    def wait(self, cost: float, now: float) -> float:
        """Seconds until so much may be spent; 0: now."""
        if self.limit is None:
            return 0.0
        self._forget(now)
        if not self._log or self._spent + cost <= self.limit:
            return 0.0
        left = self._spent
        for entry in self._log:
            left -= entry.cost
            if left + cost <= self.limit:
                return max(entry.moment + _MINUTE_S - now, 1e-3)
        return max(self._log[-1].moment + _MINUTE_S - now, 1e-3)

    def spend(self, cost: float, now: float) -> Reserved:
        """Counts it."""
        entry = Reserved(now, cost, self.limit is not None)
        if entry.counts:
            self._log.append(entry)
            self._spent += cost
        return entry

    def settle(self, entry: Reserved, cost: float) -> None:
        """It did not cost what it was counted as. Nothing happens if its minute is over."""
        if entry.counts:
            self._spent += cost - entry.cost
            entry.cost = cost

    def _forget(self, now: float) -> None:
        while self._log and self._log[0].moment <= now - _MINUTE_S:
            entry = self._log.popleft()
            entry.counts = False
            self._spent -= entry.cost
        if not self._log:
            self._spent = 0.0  # no sum of roundings grows


class Left:
    """What the server said is left until a moment. What is in flight may not have been counted when it said so."""

    def __init__(self) -> None:
        self._amount = math.inf
        self._until = 0.0

    def learn(self, rate: Rate, now: float) -> None:
        """Takes what an answer's headers say."""
        if rate.remaining is not None and rate.reset_s is not None:
            self._amount, self._until = rate.remaining, now + rate.reset_s

    def wait(self, cost: float, in_flight: float, now: float) -> float:
        """Seconds until so much may be asked for; infinite: until an answer says more."""
        if now >= self._until or in_flight + cost <= self._amount:
            return 0.0
        return self._until - now


class Limiter:
    """The limits of one server: requests in flight, requests and tokens by the minute, and pauses.

    Requests in flight grow with each answer and shrink by a third when the server refuses for want of room (additive
    increase, multiplicative decrease: Chiu and Jain 1989), once for all that were in flight together. `most`: in flight
    at most; limits by the minute that are null are learned from headers. `random` spreads pauses.
    """

    def __init__(self, most: int, requests: int | None, tokens: int | None, random: Random) -> None:
        self.in_flight = 0
        self.limit = float(min(most, FIRST))
        self._most = float(most)
        self._ramp = True
        self._random = random
        self._tokens_in_flight = 0.0
        self._requests, self._tokens = Minute(requests), Minute(tokens)
        self._learned = (requests is None, tokens is None)
        self._left = (Left(), Left())
        self._cut_at = -math.inf
        self._pauses = 0
        self._until = 0.0
        self._is_free = requests is None and tokens is None  # of limits by the minute

    @property
    def is_full(self) -> bool:
        """Whether nothing goes before another came back."""
        return self.in_flight >= int(self.limit)

    def wait(self, tokens: int, now: float) -> float:
        """Seconds until a request of so many tokens may go; 0: now; infinite: when another came back."""
        if self.is_full:
            return math.inf
        if self._is_free:
            return max(self._until - now, 0.0)
        return max(
            self._until - now,
            self._requests.wait(1, now),
            self._tokens.wait(tokens, now),
            self._left[0].wait(1, self.in_flight, now),
            self._left[1].wait(tokens, self._tokens_in_flight, now),
            0.0,
        )

    def sent(self, tokens: int, now: float) -> Reserved:
        """Counts a request that goes, and reserves its tokens."""
        self.in_flight += 1
        self._tokens_in_flight += tokens
        if self._is_free:
            return Reserved(now, tokens, counts=False)
        self._requests.spend(1, now)
        return self._tokens.spend(tokens, now)

    def came_back(self, tokens: int) -> None:
        """A request is no longer in flight, however it went."""
        self.in_flight -= 1
        self._tokens_in_flight -= tokens

    def learn(self, rates: tuple[Rate, Rate], now: float) -> None:
        """Takes what headers say of requests and of tokens. The recipe's own limits stay."""
        self._is_free = False
        for minute, ours, left, rate in zip(
            (self._requests, self._tokens), self._learned, self._left, rates, strict=True
        ):
            if ours and rate.limit is not None:
                minute.limit = rate.limit
            left.learn(rate, now)

    def answered(self, reserved: Reserved, used: int | None) -> None:
        """The server had room. `used`: tokens that it counted; null: it did not say."""
        if used is not None:
            self._tokens.settle(reserved, used)
        self._pauses = 0
        if 2 * self.in_flight >= self.limit:  # else the limit was not put to the test
            step = _FIRST_STEP if self._ramp else min(1.0, max(1.0, _INCREASE * self._most) / self.limit)
            self.limit = min(self._most, self.limit + step)

    def refused(self, reserved: Reserved, ask_in_s: float | None, now: float) -> bool:
        """The server has no room (429, 503); whether that is news: others that went before the last cut are none."""
        self._tokens.settle(reserved, 0)
        if ask_in_s is not None:
            self._until = max(self._until, now + ask_in_s * self._random.uniform(1.0, 1.1))
        if not self.slower(reserved, now):
            return False
        if ask_in_s is None:
            pause = min(_SHORTEST_PAUSE_S * 2.0**self._pauses, _LONGEST_PAUSE_S)
            self._until = max(self._until, now + pause * self._random.uniform(0.5, 1.0))
        self._pauses += 1
        return True

    def slower(self, reserved: Reserved, now: float) -> bool:
        """Fewer in flight, unless the request went before they were last made fewer. False if so."""
        if reserved.moment <= self._cut_at:
            return False
        self.limit = max(1.0, self.limit * _DECREASE)
        self._ramp = False
        self._cut_at = now
        return True

    def restart(self) -> None:
        """The server was away: it is asked for a little at first, and for more as it answers."""
        self.limit = min(self.limit, float(FIRST))
        self._ramp = True
        self._pauses = 0
