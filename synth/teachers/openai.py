"""A teacher behind an OpenAI-compatible server, or several: chat and completion, a request a call."""

from __future__ import annotations

import asyncio
import os
import queue
import ssl
import threading
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from urllib.parse import urlsplit, urlunsplit

import aiohttp
from yarl import URL

from manifests.synthesis import Teacher
from synth.request import Request, Response
from synth.teachers import TeacherStopped, Unanswered
from synth.teachers.asking import Asking, Kept, Reply, Server
from synth.teachers.breaker import Breaker
from synth.teachers.clock import Clock, RealClock
from synth.teachers.feed import Feed
from synth.teachers.limiter import Limiter
from synth.teachers.outcomes import Found, Outcome, found, one_line, redacted

_MOST_BYTES = 16 << 20  # of an answer
_CONNECT_S = 30.0
_KEEP_ALIVE_S = 4.0  # uvicorn, which vLLM and others run on, closes idle connections after five
_LOOK_S = 0.1  # how often `stop` is looked at
_BATCH = 64
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
        """As `Endpoint` has it. `keep` is called on the caller's thread, one at a time; `requests` on another.

        A request counts as in flight until it is kept, so no more than the teacher's concurrency times its servers are
        lost with the process. A key that comes twice while the first is on its way is asked for once.
        """
        results: queue.SimpleQueue[Kept | None] = queue.SimpleQueue()
        loop = asyncio.new_event_loop()
        calls = _Calls(self._teacher, self._key)
        asking = Asking(
            self._name, self._servers(), self._patience_s, self._clock, Random(), calls.post, results.put, self._say
        )
        most = _AHEAD * self._teacher.concurrency * len(self._teacher.urls)
        feed = Feed(requests, most, lambda: _call(loop, asking.look))
        thread = threading.Thread(target=_run, args=(loop, calls, asking, feed, results), name=f"teacher {self._name}")
        thread.start()
        try:
            _keep_all(results, keep, stop, partial(_call, loop), asking)
        except BaseException:
            _call(loop, asking.abort)
            raise
        finally:
            thread.join()
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
        self._headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "syscorpus",
        }
        if key:
            bearer = teacher.api_key_header == "authorization"
            self._headers[teacher.api_key_header] = f"Bearer {key}" if bearer else key

    def session(self) -> aiohttp.ClientSession:
        """To be entered on the loop, before the first call."""
        connect_s = min(_CONNECT_S, self._timeout_s)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            timeout=aiohttp.ClientTimeout(total=self._timeout_s, sock_connect=connect_s),
            trust_env=False,
        )
        return self._session

    async def post(self, url: str, body: bytes) -> Reply:
        """One call. What goes wrong is a reply, too; its exceptions hold headers, so their words go nowhere."""
        parsed = self._urls.get(url) or self._urls.setdefault(url, URL(url, encoded=True))
        try:
            # aiohttp sends a POST once, whatever happens to it.
            async with self._session.post(parsed, data=body, allow_redirects=False) as response:
                answer = await _read(response)
                headers = response.headers
        except (ssl.SSLError, ssl.CertificateError, aiohttp.ClientSSLError):
            return Reply(Found(Outcome.STOPPED, "its certificate is not trusted"))
        except aiohttp.ClientConnectorError as error:
            return Reply(Found(Outcome.DOWN, type(error.os_error).__name__))
        except aiohttp.ConnectionTimeoutError:
            return Reply(Found(Outcome.DOWN, "ConnectionTimeout", slow=True))
        except TimeoutError:
            return Reply(Found(Outcome.BROKEN, f"no answer within {self._timeout_s:.0f} s", slow=True))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Reply(Found(Outcome.BROKEN, type(error).__name__))
        if answer is None:
            return Reply(Found(Outcome.BROKEN, f"an answer of more than {_MOST_BYTES >> 20} MiB"), response.status)
        meaning = found(response.status, headers.get("Content-Type", ""), answer, self._api)
        if 300 <= response.status < 400:
            meaning = Found(Outcome.STOPPED, f"HTTP {response.status} to {one_line(headers.get('Location', ''))}")
        return Reply(meaning, response.status, answer, headers)


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    """The body; null if it is too long, and then the connection is not used again."""
    if response.content_length is not None and response.content_length <= _MOST_BYTES:
        return await response.read()  # which is quicker, and takes no more than the header says
    pieces, size = [], 0
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > _MOST_BYTES:
            response.close()
            return None
        pieces.append(piece)
    return b"".join(pieces)


def _run(
    loop: asyncio.AbstractEventLoop, calls: _Calls, asking: Asking, feed: Feed, results: queue.SimpleQueue[Kept | None]
) -> None:
    """The thread of the loop. Puts None behind the last result."""

    async def session() -> None:
        async with calls.session():
            await asking.run(feed)

    try:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(session())
    except BaseException as error:  # noqa: BLE001 - it is raised where the answers are awaited
        asking.error = asking.error or error
    finally:
        feed.close()
        results.put(None)


def _keep_all(
    results: queue.SimpleQueue[Kept | None],
    keep: Callable[[Response], None],
    stop: threading.Event,
    call: Callable[[Callable[[], None]], None],
    asking: Asking,
) -> None:
    """Makes results durable as they come, until there are no more."""
    told = over = False
    while not over:
        if not told and stop.is_set():
            told = True
            call(asking.end)
        batch = _some(results)
        over = None in batch
        kept = [each for each in batch if each is not None]
        for each in kept:
            keep(each.response)
        if kept:
            call(partial(asking.kept, kept))


def _some(results: queue.SimpleQueue[Kept | None]) -> list[Kept | None]:
    """What came since the last time, or nothing after a moment."""
    batch: list[Kept | None] = []
    try:
        batch.append(results.get(timeout=_LOOK_S))
        while len(batch) < _BATCH:
            batch.append(results.get_nowait())
    except queue.Empty:
        pass
    return batch


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
