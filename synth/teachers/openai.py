"""A teacher behind an OpenAI-compatible server, or several: chat and completion, a request a call."""

from __future__ import annotations

import asyncio
import os
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from urllib.parse import urlsplit, urlunsplit

import aiohttp
from yarl import URL

from manifests.synthesis import Teacher
from synth.request import Request, Response
from synth.teachers import TeacherStopped, Unanswered
from synth.teachers.asking import Asking, Reply, Server
from synth.teachers.breaker import Breaker
from synth.teachers.clock import Clock, RealClock
from synth.teachers.feed import Feed
from synth.teachers.limiter import Limiter
from synth.teachers.outcomes import Found, Outcome, found, one_line, redacted

_MOST_BYTES = 16 << 20  # of an answer
_CONNECT_S = 30.0
_KEEP_ALIVE_S = 4.0  # uvicorn, which vLLM and others run on, closes idle connections after five
_LOOK_S = 0.1  # how often `stop` is looked at
_AHEAD = 8  # requests are pulled ahead, times those in flight at most
_PATHS = {"chat": "chat/completions", "completion": "completions"}


class OpenAITeacher:
    """Asks the servers of a teacher (`Endpoint`).

    `patience_s`: how long all of them may be away; `say` is told in a line when one is, and when it is back. Redirects
    are not followed, and proxies and passwords of the environment not used: the key goes where the recipe says, and
    nowhere else. The key is read here, once, unless it is given. Raises TeacherStopped if it is not set.
    """

    def __init__(
        self,
        name: str,
        teacher: Teacher,
        patience_s: float,
        say: Callable[[str], None] = print,
        clock: Clock | None = None,
        key: str | None = None,
    ) -> None:
        self._name = name
        self._teacher = teacher
        self._patience_s = patience_s
        self._clock: Clock = clock or RealClock()
        self._key = _key(name, teacher.api_key_variable) if key is None else key
        self._say = lambda line: say(redacted(line, self._key))

    def answer(
        self, requests: Iterator[Request], keep: Callable[[Response], None], stop: threading.Event
    ) -> list[Unanswered]:
        """As `Endpoint` has it. `keep` is called on the caller's thread, between the calls; `requests` on another.

        A request is in flight until it is kept, so no more than the teacher's concurrency times its servers are lost
        with the process. A key that comes twice while the first is on its way is asked for once.
        """

        def keep_and_look(response: Response) -> None:
            keep(response)
            if stop.is_set():  # what was kept may be why: it cost more than there is
                asking.end()

        calls = _Calls(self._teacher, self._key)
        asking = Asking(
            self._name, self._servers(), self._patience_s, self._clock, Random(), calls.post, keep_and_look, self._say
        )
        most = _AHEAD * self._teacher.concurrency * len(self._teacher.urls)
        with asyncio.Runner() as runner:
            feed = Feed(requests, most, partial(_call, runner.get_loop(), asking.look))
            try:
                runner.run(_ask(calls, asking, feed, stop))
            finally:
                feed.close()
        if isinstance(asking.error, TeacherStopped):
            raise TeacherStopped(redacted(str(asking.error), self._key))
        if asking.error is not None:
            raise asking.error
        return [Unanswered(each.key, redacted(each.reason, self._key)) for each in asking.unanswered]

    def _servers(self) -> list[Server]:
        teacher, random = self._teacher, Random()
        return [
            Server(
                url=_endpoint(url, teacher.api),
                label=_label(url),
                limiter=Limiter(teacher.concurrency, teacher.requests_per_minute, teacher.tokens_per_minute, random),
                breaker=Breaker(random),
            )
            for url in teacher.urls
        ]


class _Calls:
    """The calls of one `answer`, over one set of connections."""

    def __init__(self, teacher: Teacher, key: str) -> None:
        self._api = teacher.api
        self._urls: dict[str, URL] = {}
        self._timeout_s = teacher.timeout_s
        self._since: dict[asyncio.Task[None], float] = {}  # when the calls in flight began
        self._late: set[asyncio.Task[None]] = set()  # those of them that end for that
        self._headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "syscorpus",
        }
        if key:
            bearer = teacher.api_key_header == "authorization"
            self._headers[teacher.api_key_header] = f"Bearer {key}" if bearer else key

    @asynccontextmanager
    async def session(self) -> AsyncIterator[None]:
        """Within it calls are made."""
        connect_s = min(_CONNECT_S, self._timeout_s)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_s),
            trust_env=False,
        )
        async with self._session:
            watch = asyncio.create_task(self._end_late_ones())
            try:
                yield
            finally:
                watch.cancel()

    async def _end_late_ones(self) -> None:
        """One timer for all calls: one for each would cost a tenth of what a call costs."""
        while True:
            await asyncio.sleep(min(_LOOK_S, self._timeout_s))
            begun = asyncio.get_running_loop().time() - self._timeout_s
            for task, since in self._since.items():  # the oldest comes first
                if since > begun:
                    break
                if task not in self._late:
                    self._late.add(task)
                    task.cancel()

    async def post(self, url: str, body: bytes) -> Reply:
        """One call, in a task. What goes wrong is a reply; exceptions hold headers, so their words go nowhere."""
        parsed = self._urls.get(url) or self._urls.setdefault(url, URL(url, encoded=True))
        task = asyncio.current_task()
        assert task
        self._since[task] = asyncio.get_running_loop().time()
        try:
            # aiohttp sends a POST once, whatever happens to it.
            response = await self._session.post(parsed, data=body, allow_redirects=False)
            answer = await _read(response)
        except asyncio.CancelledError:
            if task not in self._late or task.uncancel():
                raise
            return Reply(Found(Outcome.BROKEN, f"no answer within {self._timeout_s:.0f} s", slow=True))
        except (ssl.SSLError, ssl.CertificateError, aiohttp.ClientSSLError):
            return Reply(Found(Outcome.STOPPED, "its certificate is not trusted"))
        except aiohttp.ClientConnectorError as error:
            return Reply(Found(Outcome.DOWN, type(error.os_error).__name__))
        except aiohttp.ConnectionTimeoutError:
            return Reply(Found(Outcome.DOWN, "ConnectionTimeout", slow=True))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Reply(Found(Outcome.BROKEN, type(error).__name__))
        finally:
            del self._since[task]
            self._late.discard(task)
        headers = response.headers
        if answer is None:
            return Reply(Found(Outcome.BROKEN, f"an answer of more than {_MOST_BYTES >> 20} MiB"), response.status)
        meaning = found(response.status, headers.get("Content-Type", ""), answer, self._api)
        if 300 <= response.status < 400:
            meaning = Found(Outcome.STOPPED, f"HTTP {response.status} to {one_line(headers.get('Location', ''))}")
        return Reply(meaning, response.status, answer, headers)


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    """The body; null if it is too long. The connection is used again only if there is nothing left on it."""
    if response.content_length is not None and response.content_length <= _MOST_BYTES:
        return await response.read()  # which is quicker, and takes no more than the header says
    pieces, size = [], 0
    try:
        async for piece in response.content.iter_any():
            size += len(piece)
            if size > _MOST_BYTES:
                return None
            pieces.append(piece)
    finally:
        response.close()
    return b"".join(pieces)


async def _ask(calls: _Calls, asking: Asking, feed: Feed, stop: threading.Event) -> None:
    """Asks until all is done, or it is told to stop."""

    async def end() -> None:
        while not stop.is_set():
            await asyncio.sleep(_LOOK_S)
        asking.end()

    async with calls.session():
        waiting = asyncio.create_task(end())
        try:
            await asking.run(feed)
        finally:
            waiting.cancel()


def _call(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    """On the loop's thread; nothing if it is over."""
    try:
        loop.call_soon_threadsafe(what)
    except RuntimeError:
        pass


def _key(name: str, variable: str) -> str:
    """The key, or nothing if none is wanted."""
    if not variable:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise TeacherStopped(f"teacher {name}: the environment has no {variable}; set it to the key, and run again")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise TeacherStopped(f"teacher {name}: {variable} holds characters that no key has; set it again")
    return key


def _endpoint(url: str, api: str) -> str:
    """Where requests go: what a URL asks for (Azure's `api-version`) stays."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{_PATHS[api]}", fragment=""))


def _label(url: str) -> str:
    """A URL as messages have it: without what may be secret."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))
