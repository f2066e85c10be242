"""Sections of the pipeline file that say what paints: a pipeline of diffusers, or a server of pictures."""

import math
import re
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from zero_engine.config import Section

_SECRET = re.compile(r"api[-_]?key|^key$|^token$|(access|auth|bearer)[-_]?token|authorization|passw|secret")


class Diffusion(Section):
    model: str
    """Local folder or hub name of a text-to-image pipeline of diffusers."""
    steps: int = Field(30, ge=1, le=1000)
    """Denoising steps."""
    guidance: float | None = Field(None, ge=0.0, le=50.0)
    """Classifier-free guidance, by the parameter that works for the pipeline: `true_cfg_scale` for Qwen-Image and its
    like, else `guidance_scale`; the pipeline's own default by default."""
    size: int | None = Field(None, ge=8, le=4096)
    """Height and width painted, in pixels; the pipeline's own default by default."""
    parameters: dict[str, str | int | float | bool] = {}
    """More arguments of the pipeline's call, e.g. {max_sequence_length: 256}; one that it does not take is refused."""
    lora: str | None = None
    """LoRA weights: a file of safetensors, a folder, or a hub name."""
    lora_scale: float = Field(1.0, ge=-10.0, le=10.0)
    """How much of the LoRA weights is added."""
    offload: bool = False
    """Keep each model of the pipeline on the GPU only while it works: less GPU memory, slower."""
    vae_tiling: bool = False
    """Decode large pictures in tiles: less GPU memory, other pixels."""
    compile: bool = False
    """torch.compile for the denoiser: slow to begin, faster then, other bits."""

    SHAPES_NO_PICTURE: ClassVar[tuple[str, ...]] = ("offload",)


class Http(Section):
    url: str
    """Where the OpenAI images API begins, e.g. http://localhost:8000/v1; `/images/generations` and, for prompts with
    pictures, `/images/edits` are added."""
    model: str | None = None
    """The model to ask for; the server's only one by default."""
    key_env: str | None = Field(None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Environment variable of the workers that holds the key; the key itself is written nowhere."""
    size: str | None = Field(None, pattern=r"^([0-9]+x[0-9]+|auto)$")
    """Size to ask for, e.g. 1024x1024; the server's default by default."""
    seed: bool = True
    """Send each drawing's seed, modulo 2^31; false where the server takes none."""
    response_format: str | None = Field("b64_json", pattern="^(b64_json|url)$")
    """How pictures are to come; null leaves the field out, where a server refuses it. Both kinds of answers are read,
    URLs from the server itself only."""
    parameters: dict[str, str | int | float | bool] = {}
    """More fields of the request, e.g. {num_inference_steps: 20, true_cfg_scale: 4.0}."""
    concurrency: int = Field(8, ge=1, le=1024)
    """Requests under way at once, in each worker."""
    timeout_s: float = Field(300.0, gt=0)
    """Deadline of one request, from asking to the last byte."""
    retries: int = Field(6, ge=0, le=100)
    """Further tries after a 429, a 5xx, a cut connection or a deadline."""
    backoff_s: float = Field(1.0, gt=0, le=600)
    """Wait before the first retry; it doubles, up to a minute. A server's Retry-After goes first."""
    max_requests: int | None = Field(None, ge=1)
    """Requests made at most, failed ones and those of earlier starts of the same run included; then the run stops."""
    requests_per_minute: float | None = Field(None, gt=0)
    """Requests begun in a minute at most, by all workers together."""

    SHAPES_NO_PICTURE: ClassVar[tuple[str, ...]] = (
        "key_env",
        "response_format",
        "concurrency",
        "timeout_s",
        "retries",
        "backoff_s",
        "max_requests",
        "requests_per_minute",
    )

    @field_validator("url")
    @classmethod
    def _is_an_address_alone(cls, value: str) -> str:
        parts = urlsplit(value)
        try:
            port = parts.port
        except ValueError:
            port = 0
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or port == 0
            or len(value.split()) != 1
        ):
            raise ValueError("expected an address such as http://localhost:8000/v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("holds more than an address; a key goes into the variable that key_env names")
        return value.rstrip("/")

    @field_validator("parameters")
    @classmethod
    def _are_no_keys_of_ours(cls, value: dict) -> dict:
        ours = (
            "prompt",
            "model",
            "n",
            "size",
            "seed",
            "response_format",
            "negative_prompt",
            "image",
            "stream",
        )
        for name, given in value.items():
            if name in ours:
                raise ValueError(f"{name} is set by a key of its own, or by the run")
            if _SECRET.search(name.lower()):
                raise ValueError(f"{name} looks like a secret; name its environment variable in key_env")
            if isinstance(given, float) and not math.isfinite(given):
                raise ValueError(f"{name} is not a finite number")
        return value
