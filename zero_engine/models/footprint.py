"""The memory that drawing takes, and how many drawings fit a GPU. `models check` prints it."""

from dataclasses import dataclass
from typing import Any

SHARE = 0.8
"""The share of a GPU's memory for weights and drawings; the codec and the allocator take the rest."""
PER_DRAWING = 1.5
"""The memory of a drawing over that of its codes' keys and values: its prompt has some, too, and a growing cache is
copied."""
LARGEST = 128
"""The largest batch: a larger one is hardly faster, and after a kill a whole batch is drawn again."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes of a model's weights, and of the keys and values of one drawing's codes with guidance."""

    weights: int
    drawing: int

    @classmethod
    def of(cls, module: Any, config: Any, codes: int) -> "Footprint":
        """The footprint of a transformers module with the text configuration `config` and `codes` codes a picture."""
        weights = sum(parameter.numel() * parameter.element_size() for parameter in module.parameters())
        head_width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        slot = 2 * config.num_hidden_layers * config.num_key_value_heads * head_width
        return cls(weights, 2 * codes * slot * module.lm_head.weight.element_size())

    def fits(self, capacity: int) -> int:
        """How many drawings fit a GPU of `capacity` bytes at once: a power of two, at least 1, at most LARGEST."""
        room = int((SHARE * capacity - self.weights) / (PER_DRAWING * self.drawing))
        return min(LARGEST, 1 << max(0, room.bit_length() - 1)) if room > 0 else 1

    def describe(self) -> dict[str, float]:
        """Both sizes in MB, for `models check`."""
        return {"weights_mb": round(self.weights / 1e6, 1), "mb_per_drawing": round(self.drawing / 1e6, 2)}
