"""The painter that asks a server: any that speaks the OpenAI images API (vLLM-Omni, SGLang, hosted ones).

Prompts of text go to `/images/generations`, prompts with pictures to `/images/edits`. All pictures of a shard are asked
for before any is encoded, `concurrency` at a time, and each answer is kept at once (`answers`): a run that is killed
asks for nothing twice. What the bytes are is the server's doing; the rows say so by the origin `served`.

    429, 5xx, a cut connection, a deadline, an answer without a picture   tried again, with back-off and jitter
    429 and 503 pause all requests, for Retry-After where it is given
    400, 413, 422      the drawing is rejected as `draw_refused`, with what the server said
    401, 402, 403, 404, 405   the run stops
    tries used up      the drawing is rejected as `draw_failed` if the server lives (it answered others meanwhile, or
                       lists its models); where it is gone or busy, the run stops
    no picture for any of three or more requests   the run stops

A run that stops says so in one line and goes on when it is started again. The client is httpx2, imported when
something is asked.
"""

import asyncio
import random
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zero_engine.batches import BatchFailure
from zero_engine.errors import ModelError, ZeroEngineError
from zero_engine.hashing import digest, digest_json
from zero_engine.painter_sections import Http
from zero_engine.painters.answers import Answers
from zero_engine.painters.images_api import (
    LIST_TIMEOUT_S,
    Again,
    Refused,
    clean,
    fields,
    form,
    key_of,
    listed,
    model_of,
    picture_in,
    pixels_of,
    refuse,
    said,
    seconds,
    to_where,
)
from zero_engine.painters.painting import Asked
from zero_engine.pipeline import Render

if TYPE_CHECKING:
    import httpx2

MOST_BYTES = 128 << 20
LONGEST_WAIT_S = 60.0


def load(render: Render) -> "Served":
    """The painter of `render.http`. Raises ModelError where its key is missing."""
    return Served(render)


def fingerprint(render: Render) -> str:
    """A digest of server, model and parameters. It asks the server only where the file names no model."""
    http = _settings(render)
    settings = http.model_dump(mode="json", exclude={*Http.SHAPES_NO_PICTURE, "model"})
    return digest("http", model_of(http), digest_json(settings))


class Served:
    """A painter whose pictures are a server's answers."""

    def __init__(self, render: Render):
        self.http = _settings(render)
        self.key = key_of(self.http)
        self.name = f"{self.http.model or 'a model'} of an images server"
        self.answered = 0
        self.stop: ZeroEngineError | None = None
        self.not_before = 0.0
        self.checked = False
        self.decoding = asyncio.Lock()
        self._own = tempfile.TemporaryDirectory()  # for those who keep nothing: a preview
        self.answers = Answers(Path(self._own.name))

    def keep_in(self, answers: Answers) -> None:
        """Keep answers there from now on."""
        if answers.folder != self.answers.folder:
            self.answers = answers

    def prepare(self, wanted: Sequence[Asked]) -> list[BatchFailure | None]:
        """Ask for all pictures that are not there yet; what failed, in the order of `wanted`.

        Raises ModelError, once everything under way has been answered, for what stops the run.
        """
        self.answers.bring(asked.identity for asked in wanted)
        missing = {asked.identity: asked for asked in wanted if self._stored(asked.identity) is None}
        failed: dict[str, BatchFailure] = {}
        if missing:
            self.stop = None
            asyncio.run(self._ask(deque(missing.values()), failed))
            if self.stop is not None:
                raise self.stop
            if not self.answered and len(failed) == len(missing) > 2:
                first = next(iter(failed.values())).detail
                raise ModelError(
                    f"{self.http.url}: none of {len(missing)} requests gave a picture ({first}). Mend render.http."
                )
        return [failed.get(asked.identity) for asked in wanted]

    def pictures(self, identities: Sequence[str]) -> list[np.ndarray]:
        """The pictures that were answered, (H, W, 3) uint8; a white one for the empty identity, a filler's."""
        found = []
        for identity in identities:
            picture = self._stored(identity) if identity else np.full((64, 64, 3), 255, np.uint8)
            if picture is None:
                raise ValueError("the server has not been asked for this picture")
            found.append(picture)
        return found

    def _stored(self, identity: str) -> np.ndarray | None:
        data = self.answers.get(identity)
        try:
            return None if data is None else pixels_of(data)
        except ValueError:  # not as it was written
            return None

    async def _ask(self, queue: deque[Asked], failed: dict[str, BatchFailure]) -> None:
        import httpx2

        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        self.decoding = asyncio.Lock()  # each call has an event loop of its own
        limits = httpx2.Limits(max_connections=self.http.concurrency)
        async with httpx2.AsyncClient(timeout=None, limits=limits, headers=headers) as client:
            await self._check(client)
            workers = min(self.http.concurrency, len(queue))
            await asyncio.gather(*(self._work(client, queue, failed) for _ in range(workers)))

    async def _work(
        self, client: "httpx2.AsyncClient", queue: deque[Asked], failed: dict[str, BatchFailure]
    ) -> None:
        """Take one after the other until nothing is left, or something stops the run."""
        while queue and self.stop is None:
            asked = queue.popleft()
            try:
                failure = await self._answer(client, asked)
            except ZeroEngineError as error:
                self.stop = self.stop or error
            else:
                if failure is not None:
                    failed[asked.identity] = failure

    async def _check(self, client: "httpx2.AsyncClient") -> None:
        """Whether the server has the model that the file names, once; a server without a list is believed."""
        if self.checked or self.http.model is None:
            return

        async def ask() -> list[str] | None:
            return listed(self.http, *await self._body(await client.get(f"{self.http.url}/models")))

        names = await self._with_retries(ask, counted=False)
        if isinstance(names, BatchFailure):
            raise ModelError(f"{self.http.url}: does not answer ({names.detail}). Start it, and run again.")
        if names is not None and self.http.model not in names:
            known = ", ".join(names[:8])
            raise ModelError(
                f"render.http.model: {self.http.url} has no {self.http.model!r}. It has: {known}."
            )
        self.checked = True

    async def _answer(self, client: "httpx2.AsyncClient", asked: Asked) -> BatchFailure | None:
        before = self.answered

        async def ask() -> bytes:
            return await self._post(client, asked)

        picture = await self._with_retries(ask, judge=self._readable)
        if isinstance(picture, bytes):
            await asyncio.to_thread(self.answers.put, asked.identity, picture)
            self.answered += 1
            return None
        if not isinstance(picture, BatchFailure) or picture.reason == "refused":
            return picture
        busy = picture.reason == "busy"
        if busy or (self.answered == before and not await self._lives(client)):
            raise ModelError(
                f"{self.http.url}: gave no picture in {self.http.retries + 1} tries ({picture.detail}). What was "
                "answered is kept: run the same command again to go on."
            )
        return picture

    async def _lives(self, client: "httpx2.AsyncClient") -> bool:
        """Whether the server answers anything at all."""
        import httpx2

        try:
            async with asyncio.timeout(min(LIST_TIMEOUT_S, self.http.timeout_s)):
                return (await client.get(f"{self.http.url}/models")).status_code < 500
        except (TimeoutError, httpx2.HTTPError):
            return False

    async def _with_retries(
        self, ask: Callable[[], Any], counted: bool = True, judge: Callable[[Any], Any] | None = None
    ) -> Any:
        """The result of `ask`, or the failure of the last try; None where the run stopped meanwhile.

        The deadline is that of `ask`; `judge` sees its result, and may raise `Again`.
        """
        import httpx2

        problem, kind, busy = "", None, False
        for attempt in range(self.http.retries + 1):
            if counted and self.http.requests_per_minute and self.stop is None:
                await self._sleep(self.answers.turn(self.http.requests_per_minute))
            if self.stop is not None:
                return None
            if counted:
                self.answers.count(self.http.max_requests)
            pause = min(LONGEST_WAIT_S, self.http.backoff_s * 2**attempt) * random.uniform(0.5, 1.5)
            try:
                async with asyncio.timeout(self.http.timeout_s):
                    answer = await ask()
                return answer if judge is None else await judge(answer)
            except Refused as refusal:
                return BatchFailure("refused", str(refusal))
            except Again as again:
                problem, kind, busy = str(again), None, again.pauses_all
                if busy:
                    pause = max(pause, again.retry_after)
                    self.not_before = max(self.not_before, time.monotonic() + pause)
            except TimeoutError:
                problem, kind, busy = f"no answer in {self.http.timeout_s:g} s", "TimeoutError", False
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                problem, kind = clean(str(error) or "the connection was cut", self.key), type(error).__name__
                busy = False
            if attempt < self.http.retries:
                await self._sleep(pause)
        return BatchFailure("busy" if busy else "failed", problem, kind)

    async def _sleep(self, seconds: float) -> None:
        """Wait so long, and for as long as the server asked everybody to wait."""
        until = time.monotonic() + seconds
        while self.stop is None and (left := max(until, self.not_before) - time.monotonic()) > 0:
            await asyncio.sleep(min(left, 1.0))

    async def _post(self, client: "httpx2.AsyncClient", asked: Asked) -> bytes:
        body = fields(self.http, asked.prompt, asked.seed, asked.negative)
        if pictures := asked.pictures():
            data, files = form(body, pictures)
            request = client.build_request("POST", f"{self.http.url}/images/edits", data=data, files=files)
        else:
            request = client.build_request("POST", f"{self.http.url}/images/generations", json=body)
        status, answer = await self._body(await client.send(request, stream=True))
        refuse(self.http, self.key, status, answer)
        picture = picture_in(self.http, self.key, answer)
        if isinstance(picture, str):
            status, picture = await self._body(
                await client.send(client.build_request("GET", picture), stream=True)
            )
            refuse(self.http, self.key, status, picture)
        return picture

    async def _readable(self, picture: bytes) -> bytes:
        """The answer, once it is seen to decode: beside the other requests, and one at a time, for the memory."""
        async with self.decoding:
            try:
                await asyncio.to_thread(pixels_of, picture)
            except ValueError as error:
                raise Again(f"the answer holds no picture ({error})") from error
        return picture

    async def _body(self, response: "httpx2.Response") -> tuple[int, bytes]:
        """Status and body; raises `Again` for what may pass, with how long the server asks to wait."""
        parts, size = [], 0
        try:
            async for part in response.aiter_bytes():
                parts.append(part)
                size += len(part)
                if size > MOST_BYTES:
                    raise ModelError(f"{self.http.url}: answers with more than {MOST_BYTES:,} bytes.")
        finally:
            await response.aclose()
        status, data = response.status_code, b"".join(parts)
        if 300 <= status < 400:
            data = to_where(response.headers.get("location", "")).encode()
        if status in (408, 425, 429) or status >= 500:
            wait = seconds(response.headers.get("retry-after"))
            raise Again(
                f"{status}: {said(data, self.key)}", wait, pauses_all=status in (429, 503) or wait > 0
            )
        return status, data


def _settings(render: Render) -> Http:
    """`render.http`, which `Pipeline` requires for the generator `http`."""
    assert render.http is not None, "the generator http without render.http"
    return render.http
