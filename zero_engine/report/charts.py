"""Histograms of scores as inline SVG geometry: kept drawings stacked under those left out.

A histogram has a fixed range, and batches of values are added to it, so memory does not grow with the dataset. The page
sets colours and fonts; this module computes the geometry only.
"""

from dataclasses import dataclass, field

import numpy as np

BINS = 24
WIDTH, HEIGHT = 240, 72
"""Size of the plot in SVG units; the template adds room for the axis."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bin: a kept part at the bottom, a part left out on top of it; SVG units, y downwards."""

    x: float
    width: float
    kept_y: float
    kept_height: float
    left_y: float
    left_height: float
    label: str


@dataclass(slots=True)
class Histogram:
    """Counts of one score in equal bins over [low, high], apart for drawings kept and left out."""

    name: str
    low: float
    high: float
    about: str = ""
    minimum: float | None = None
    """The gate's lowest value that passes, where it has one."""
    maximum: float | None = None
    kept: np.ndarray = field(default_factory=lambda: np.zeros(BINS, np.int64))
    left: np.ndarray = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def add(self, values: np.ndarray, is_kept: np.ndarray) -> None:
        """Count values (float, without NaN) with a mask of the same length that says which were kept."""
        edges = np.linspace(self.low, self.high if self.high > self.low else self.low + 1.0, BINS + 1)
        bins = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, BINS - 1)
        self.kept += np.bincount(bins[is_kept], minlength=BINS)
        self.left += np.bincount(bins[~is_kept], minlength=BINS)

    @property
    def total(self) -> int:
        return int(self.kept.sum() + self.left.sum())

    @property
    def bars(self) -> list[Bar]:
        """The bins that are not empty, scaled so that the tallest fills the plot."""
        tallest = max(int((self.kept + self.left).max()), 1)
        step, span = WIDTH / BINS, (self.high - self.low) / BINS
        bars = []
        for i in range(BINS):
            kept, left = int(self.kept[i]), int(self.left[i])
            if kept + left == 0:
                continue
            kept_height, left_height = HEIGHT * kept / tallest, HEIGHT * left / tallest
            label = f"{self.low + i * span:.3g} to {self.low + (i + 1) * span:.3g}: {kept:,} kept, {left:,} left out"
            bars.append(
                Bar(
                    round(i * step + 0.5, 2),
                    round(step - 1, 2),
                    round(HEIGHT - kept_height, 2),
                    round(kept_height, 2),
                    round(HEIGHT - kept_height - left_height, 2),
                    round(left_height, 2),
                    label,
                )
            )
        return bars

    @property
    def thresholds(self) -> list[tuple[float, str]]:
        """The gate's thresholds as (x in SVG units, label); a threshold outside the range lies at its edge."""
        span = self.high - self.low or 1.0
        marks = [(self.minimum, "min"), (self.maximum, "max")]
        return [
            (round(WIDTH * min(max((value - self.low) / span, 0.0), 1.0), 2), f"gate.{end} {value:g}")
            for value, end in marks
            if value is not None
        ]
