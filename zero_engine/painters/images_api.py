"""The OpenAI images API as a client sees it: what is sent, what comes back, and what an error means.

vLLM-Omni and SGLang add fields (seed, negative_prompt, num_inference_steps, ..) and hosted servers lack some; all take
a repeated `image[]` for several pictures. A status is one of three: it may pass (`Again`), it concerns this one request
(`Refused`), or it concerns all of them (ModelError).
"""

import base64
import email.utils
import io
import json
import os
import time
import warnings
from functools import lru_cache
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit

import numpy as np
from PIL import Image, ImageOps

from zero_engine.errors import ModelError, printable
from zero_engine.images import on_white
from zero_engine.painter_sections import Http

STOPS = (401, 402, 403, 404, 405)
MOST_PIXELS = 64_000_000
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM")
"""What is read of a server: no format that Pillow gives to another program, as it gives EPS to Ghostscript."""
MOST_TIMES = 100
"""A longer side of more than so many shorter ones: fitted to the model's size, it would fill the memory."""
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
    if not (key.isascii() and key.isprintable()):
        raise ModelError(
            f"render.http.key_env: the key in {http.key_env} holds characters that no header can. Set it again."
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
        named = f"The key is that of ${http.key_env}." if http.key_env else ""
        mend = named or "Set render.http.key_env to a variable with a key."
        raise ModelError(f"{http.url}: answers {status} to /models. {mend}")
    try:
        return [str(model["id"]) for model in _parsed(data)["data"]] or None if status == 200 else None
    except (ValueError, KeyError, TypeError):
        return None


def pixels_of(data: bytes) -> np.ndarray:
    """The picture, (H, W, 3) uint8, upright, on white where it is transparent.

    Raises ValueError for bytes that are none.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        with image:
            sides = f"{image.width}x{image.height} pixels"
            if image.width * image.height > MOST_PIXELS:
                raise ValueError(f"{sides} are too many")
            if max(image.size) > MOST_TIMES * min(image.size):
                raise ValueError(f"{sides}: one side is over {MOST_TIMES} times the other")
            if image.mode in ("F", "I"):
                raise ValueError("its numbers have no range of colours")
            return np.asarray(on_white(ImageOps.exif_transpose(image)))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError("its pixels are too many") from error
    except ValueError:
        raise
    except Exception as error:  # whatever a decoder makes of bad bytes
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
        whole = _parsed(text)
        found = whole.get("error") or whole.get("detail") or whole.get("message") or whole
        text = str(found.get("message", found)) if isinstance(found, dict) else str(found)
    except (ValueError, AttributeError):
        pass
    return clean(text, key)


def to_where(location: str) -> str:
    """What a redirect says, without the query, which can hold a secret."""
    try:
        parts = urlsplit(location)
        return (
            f"a redirect to {urlunsplit((parts.scheme, parts.netloc.rpartition('@')[2], parts.path, '', ''))}"
        )
    except ValueError:
        return "a redirect"


def clean(text: str, key: str | None) -> str:
    """The text on one line, without the key and without what a terminal obeys."""
    text = text.replace(key, "***") if key else text
    return printable(" ".join(text.split()), one_line=True)[:300]


def picture_in(http: Http, key: str | None, data: bytes) -> bytes | str:
    """The bytes of the picture that an answer holds, or the URL it points at, which has to be the server's own."""
    try:
        found = _parsed(data)["data"][0]
        if found.get("b64_json"):
            return _from_base64(found["b64_json"])
        if found["url"].startswith("data:"):
            return _from_base64(found["url"])
        url = urljoin(http.url + "/", found["url"])
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise Again(f"the answer holds no picture: {said(data, key) or 'it is empty'}") from error
    if urlsplit(url)[:2] != urlsplit(http.url)[:2]:
        raise ModelError(
            f"{http.url}: answers with a URL of another host ({urlsplit(url).hostname}). Set "
            "render.http.response_format: b64_json."
        )
    return url


def _from_base64(text: str) -> bytes:
    """The bytes of either alphabet of base64, with or without line breaks and `data:` in front."""
    plain = "".join(text.rpartition(",")[2].split()).translate(str.maketrans("-_", "+/")).rstrip("=")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)


def _parsed(text: bytes | str) -> Any:
    """The JSON document. Raises ValueError for what is none, or is too deep to be read."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("too many brackets") from None


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
