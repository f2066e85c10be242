"""Pixels for the picture codec: resized, cropped and normalised as the checkpoint's preprocessor_config.json says.

The numbers are those of transformers' PIL image processor to the bit (the torchvision one resizes differently), which
is not imported because it takes a second to come.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from zero_engine.images import on_white
from zero_engine.model_files import NESTED, PROCESSOR, said_in

FILE = "preprocessor_config.json"


class Preprocessor(BaseModel):
    """The settings of a checkpoint, with transformers' defaults; keys that are not read here are kept for `save`."""

    model_config = ConfigDict(extra="allow")

    do_resize: bool = True
    size: dict[str, int] = {"shortest_edge": 512}
    resample: Image.Resampling = Image.Resampling.LANCZOS
    do_center_crop: bool = True
    crop_size: dict[str, int] = {"height": 512, "width": 512}
    do_rescale: bool = True
    rescale_factor: float = 0.0078
    do_normalize: bool = True
    image_mean: list[float] = [1.0, 1.0, 1.0]
    image_std: list[float] = [1.0, 1.0, 1.0]

    @classmethod
    def of(cls, folder: Path, size: int) -> "Preprocessor":
        """A checkpoint's own settings; where it has none the published ones, for pictures of `size`.

        As in transformers, those inside processor_config.json come before a file of their own.
        Raises ValueError for settings that are none, or that give pictures of another size, and OSError.
        """
        whole = said_in(folder / PROCESSOR)
        file = PROCESSOR if NESTED in whole else FILE
        if not (folder / file).is_file():
            return cls(size={"shortest_edge": size}, crop_size={"height": size, "width": size})
        try:
            text = json.dumps(whole[NESTED]) if NESTED in whole else (folder / FILE).read_text("utf-8")
            found = cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, (file, *first["loc"])))
            raise ValueError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from error
        if found.gives != (size, size):
            sides = "pictures of many sizes" if found.gives is None else "{} x {} pixels".format(*found.gives)
            raise ValueError(f"{file} gives {sides}, the codec of config.json takes {size} x {size}")
        return found

    @property
    def gives(self) -> tuple[int, int] | None:
        """Height and width of every picture; None where they depend on the picture."""
        last = self.crop_size if self.do_center_crop else self.size if self.do_resize else {}
        return (last["height"], last["width"]) if "height" in last else None

    @field_validator("size", mode="before")
    @classmethod
    def _shortest_edge(cls, value: Any) -> Any:
        return {"shortest_edge": value} if isinstance(value, int) else value

    @field_validator("crop_size", mode="before")
    @classmethod
    def _square(cls, value: Any) -> Any:
        return {"height": value, "width": value} if isinstance(value, int) else value

    @field_validator("size", "crop_size")
    @classmethod
    def _sides(cls, value: dict[str, int], info: ValidationInfo) -> dict[str, int]:
        edge = info.field_name == "size" and set(value) == {"shortest_edge"}
        if (not edge and set(value) != {"height", "width"}) or min(value.values()) < 1:
            raise ValueError(f"height and width or a shortest_edge are read here, got {value}")
        return value

    def __call__(self, image: np.ndarray | Image.Image) -> np.ndarray:
        """Pixels (3, H, W) float32 of a picture of any size and mode; transparent ones are laid on white."""
        picture = on_white(image)
        if self.do_resize:
            picture = picture.resize(self._resized(*picture.size), self.resample)
        pixels_3HW = np.moveaxis(np.array(picture), -1, 0)
        if self.do_center_crop:
            pixels_3HW = _center(pixels_3HW, self.crop_size["height"], self.crop_size["width"])
        if self.do_rescale:
            pixels_3HW = (pixels_3HW.astype(np.float64) * self.rescale_factor).astype(np.float32)
        if self.do_normalize:
            mean, std = (np.array(values, np.float32) for values in (self.image_mean, self.image_std))
            pixels_3HW = ((pixels_3HW.astype(np.float32).T - mean) / std).T
        return pixels_3HW.astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write the settings so that transformers reads them, too."""
        settings = {"image_processor_type": "ChameleonImageProcessor", **self.model_dump(mode="json")}
        text = json.dumps(settings, indent=2, sort_keys=True)
        (folder / FILE).write_text(text + "\n", encoding="utf-8")

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        """Width and height after resizing."""
        if edge := self.size.get("shortest_edge"):
            longest = int(edge * max(width, height) / min(width, height))
            return (edge, longest) if width <= height else (longest, edge)
        return self.size["width"], self.size["height"]


def _center(pixels_3HW: np.ndarray, height: int, width: int) -> np.ndarray:
    """The middle of a picture; one that is smaller is laid on black."""
    for axis, wanted in ((1, height), (2, width)):
        spare = pixels_3HW.shape[axis] - wanted
        if spare < 0:
            before = -(spare // 2)
            pads = [(0, 0)] * 3
            pads[axis] = (before, -spare - before)
            pixels_3HW = np.pad(pixels_3HW, pads)
        else:
            pixels_3HW = pixels_3HW.take(range(spare // 2, spare // 2 + wanted), axis)
    return pixels_3HW
