"""Pixel scores: cheap checks that need no model.

Each maps an RGB uint8 array (H, W, 3) to a float in [0, 1]. Pure, no I/O. They are computed from the encoded
picture, so scoring stored candidates again gives the same values.
"""

import cv2
import numpy as np

BLUR_VARIANCE = 100.0
"""Variance of the Laplacian below which a photograph is usually called blurred."""
NEAR_COLOUR = 24
"""Largest difference of a channel, of 255, between colours that count as equal: a codec's noise."""
THUMBNAIL_SIDE = 32
TILE = 8
"""Side of the tiles that `blank` counts, in pixels."""


def blank(image_HW3: np.ndarray) -> float:
    """Share of 8 x 8 tiles with nothing but the commonest colour: 1 for a uniform picture, codec noise included.

    Tiles are counted, not pixels, because a thin-lined triangle or a short equation covers 1 % of the pixels.
    """
    height, width = (-side % TILE for side in image_HW3.shape[:2])
    padded_HW3 = np.pad(image_HW3, ((0, height), (0, width), (0, 0)), mode="edge")
    red_HW, green_HW, blue_HW = cv2.split((padded_HW3 >> 4).astype(np.uint16))
    bins_HW = (red_HW << 8) | (green_HW << 4) | blue_HW
    commonest = int(np.bincount(bins_HW.ravel(), minlength=4096).argmax())
    # the mean of the bin's pixels, as a bin's edge can cut a shade in two
    colour_3 = np.array(cv2.mean(padded_HW3, (bins_HW == commonest).astype(np.uint8))[:3]).round()
    near_HW = cv2.inRange(padded_HW3, colour_3 - NEAR_COLOUR, colour_3 + NEAR_COLOUR)
    rows, columns = near_HW.shape[0] // TILE, near_HW.shape[1] // TILE
    return float(near_HW.reshape(rows, TILE, columns, TILE).all(axis=3).all(axis=1).mean())


def contrast(image_HW3: np.ndarray) -> float:
    """Standard deviation of luminance over the largest possible one: 1 is half black, half white."""
    return float(np.clip(_luminance(image_HW3).astype(np.float64).std() / 127.5, 0.0, 1.0))


def sharpness(image_HW3: np.ndarray) -> float:
    """Variance v of the Laplacian of luminance, as v / (v + BLUR_VARIANCE)."""
    variance = float(cv2.Laplacian(_luminance(image_HW3), cv2.CV_64F).var())
    return variance / (variance + BLUR_VARIANCE)


def thumbnail(image_HW3: np.ndarray) -> np.ndarray:
    """A small grey picture as a float32 vector of mean 0 and length 1; all zeros for a flat one."""
    side = (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    small_T = cv2.resize(_luminance(image_HW3), side, interpolation=cv2.INTER_AREA).astype(np.float64).ravel()
    centred_T = small_T - small_T.mean()
    length = np.linalg.norm(centred_T)
    return (centred_T / length if length > THUMBNAIL_SIDE else np.zeros_like(centred_T)).astype(np.float32)


def likeness(thumbnail_T: np.ndarray, other_T: np.ndarray) -> float:
    """Correlation of two thumbnails, from 0 (unlike, or opposite) to 1 (alike); two flat pictures are alike."""
    flat, other_flat = not thumbnail_T.any(), not other_T.any()
    if flat or other_flat:
        return float(flat and other_flat)
    return float(np.clip(np.sum(thumbnail_T * other_T, dtype=np.float64), 0.0, 1.0))


def _luminance(image_HW3: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(np.ascontiguousarray(image_HW3), cv2.COLOR_RGB2GRAY)
