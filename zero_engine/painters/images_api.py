"""The OpenAI images API as a client sees it: what is sent, what comes back, and what an error means.

vLLM-Omni and SGLang add fields (seed, negative_prompt, num_inference_steps, ..) and hosted servers lack some; all take
a repeated `image[]` for several pictures. A status is one of three: it may pass (`Again`), it concerns this one request
(`Refused`), or it concerns all of them (ModelError).
"""

import base64
import binascii
import email.utils
import io
import json
import os
import time
from functools import lru_cache
from typing import Any
from urllib.parse import urljoin, urlsplit

import numpy as np
from PIL import Image

from zero_engine.errors import ModelError, printable
from zero_engine.images import on_white
from zero_engine.painter_sections import Http

STOPS = (401, 402, 403, 404, 405)
MOST_PIXELS = 64_000_000
LONGEST_RETRY_AFTER_S = 900.0
LIST_TIMEOUT_S = 30.0


class Again(Exception):
    """What a further try may mend."""

    def __init__(self, problem: str, retry_after: float = 0.0, pauses_all: bool = False):
        super().__init__(problem)
        self.retry_after, self.pauses_all = retry_after, pauses_all


class Refused(Exception):
    """The server will not draw this."""


def key_of(http: Http) -> str | None:
    if http.key_env is None:
        return None
    key = os.environ.get(http.key_env, "").strip()
    if not key:
        raise ModelError(
            f"render.http.key_env: the variable {http.key_env} is not set here. Set it to the key."
        )
    return key


def model_of(http: Http) -> str:
    """The model to ask for; a server that has one is asked where the file names none."""
    return http.model or _only_model(http.url, http.key_env)


@lru_cache(maxsize=16)
def _only_model(url: str, key_env: str | None) -> str:
    """The model of a server that has one. Raises ModelError where it has more, or does not say."""
    import httpx2

    http = Http(url=url, key_env=key_env)
    key = key_of(http)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        response = httpx2.get(f"{url}/models", headers=headers, timeout=LIST_TIMEOUT_S)
        names = listed(http, response.status_code, response.content)
    except httpx2.HTTPError as error:
        kind = type(error).__name__
        raise ModelError(
            f"{url}: does not answer ({kind}). Start the server, or name render.http.model."
        ) from error
    if names is None or len(names) != 1:
        known = f"it has {', '.join(names[:8])}" if names else "it does not list its models"
        raise ModelError(f"render.http.model: name the model of {url} ({known}).")
    return names[0]


def listed(http: Http, status: int, data: bytes) -> list[str] | None:
    """Names of a server's models; None where it has no such list."""
    if status in (401, 403):
        raise ModelError(
            f"{http.url}: answers {status} to /models. Set render.http.key_env to a variable with a key."
        )
    try:
        return [str(model["id"]) for model in json.loads(data)["data"]] if status == 200 else None
    except (ValueError, KeyError, TypeError):
        return None


def pixels_of(data: bytes) -> np.ndarray:
    """The picture, (H, W, 3) uint8, on white where it is transparent. Raises ValueError for bytes that are none."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ValueError(f"{image.width}x{image.height} pixels are too many")
            return np.asarray(on_white(image))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{len(data):,} bytes are no readable picture") from error


def seconds(retry_after: str | None) -> float:
    """Retry-After in seconds, from a number or a date."""
    if not retry_after:
        return 0.0
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time()
        except ValueError:
            return 0.0
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S) if seconds == seconds else 0.0


def refuse(http: Http, key: str | None, status: int, data: bytes) -> None:
    """Raises for an answer that no further try would change."""
    if status in STOPS or 300 <= status < 400:
        whose = f" The key is that of ${http.key_env}." if status in (401, 403) and http.key_env else ""
        raise ModelError(f"{http.url}: answers {status}: {said(data, key)}. Mend render.http.{whose}")
    if status >= 400:
        raise Refused(f"{status}: {said(data, key)}")


def said(data: bytes, key: str | None) -> str:
    """What an answer says of an error, on one line, without the key."""
    text = data[:4000].decode("utf-8", "replace")
    try:
        whole = json.loads(text)
        found = whole.get("error") or whole.get("detail") or whole.get("message") or whole
        text = str(found.get("message", found)) if isinstance(found, dict) else str(found)
    except (ValueError, AttributeError):
        pass
    return clean(text, key)


def clean(text: str, key: str | None) -> str:
    """The text on one line, without the key and without what a terminal obeys."""
    text = text.replace(key, "***") if key else text
    return printable(" ".join(text.split()), one_line=True)[:300]


def picture_in(http: Http, data: bytes) -> bytes | str:
    """The bytes of the picture that an answer holds, or the URL it points at, which has to be the server's own."""
    try:
        found = json.loads(data)["data"][0]
        if found.get("b64_json"):
            return base64.b64decode(found["b64_json"].rpartition(",")[2], validate=True)
        url = urljoin(http.url + "/", found["url"])
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, binascii.Error) as error:
        raise Again(f"the answer holds no picture ({type(error).__name__})") from error
    if urlsplit(url)[:2] != urlsplit(http.url)[:2]:
        raise ModelError(
            f"{http.url}: answers with a URL of another host ({urlsplit(url).hostname}). Set "
            "render.http.response_format: b64_json."
        )
    return url


def fields(http: Http, prompt: str, seed: int, negative: str) -> dict[str, Any]:
    """The fields of a request."""
    own = {
        "model": model_of(http),
        "size": http.size,
        "seed": seed % 2**31 if http.seed else None,
        "response_format": http.response_format,
        "negative_prompt": negative or None,
    }
    given = {name: value for name, value in own.items() if value is not None}
    return {"prompt": prompt, "n": 1, **http.parameters, **given}


def form(body: dict[str, Any], pictures: list[bytes]) -> tuple[dict[str, str], list[tuple]]:
    """The same as a form with pictures."""
    name = "image" if len(pictures) == 1 else "image[]"
    files = [(name, (f"{at}.png", data, "image/png")) for at, data in enumerate(pictures)]
    return {key: json.dumps(v) if isinstance(v, bool) else str(v) for key, v in body.items()}, files
