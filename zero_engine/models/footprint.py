"""The memory that drawing takes: what `models check` prints, and how many drawings a GPU holds at once."""

from dataclasses import dataclass
from typing import Any

SHARE = 0.8
"""Of a card's memory, what weights and drawings may take; the rest is the codec's and the allocator's."""
PER_DRAWING = 1.5
"""What a drawing takes over its codes' keys and values: its prompt's, and those of the batch while the cache grows."""
LARGEST = 128
"""More drawings at once are hardly faster, and a batch is what is redrawn after a kill."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes that a model's weights take, and the keys and values of one drawing's codes with guidance."""

    weights: int
    drawing: int

    @classmethod
    def of(cls, module: Any, config: Any, codes: int) -> "Footprint":
        """Of a transformers module whose text configuration is `config` and whose pictures have `codes` codes."""
        weights = sum(parameter.numel() * parameter.element_size() for parameter in module.parameters())
        head_width = config.hidden_size // config.num_attention_heads
        slot = 2 * config.num_hidden_layers * config.num_key_value_heads * head_width
        return cls(weights, 2 * codes * slot * module.lm_head.weight.element_size())

    def fits(self, capacity: int) -> int:
        """Drawings at once on a card of `capacity` bytes: a power of two, the same on every card of the kind."""
        room = int((SHARE * capacity - self.weights) / (PER_DRAWING * self.drawing))
        return min(LARGEST, 1 << max(0, room.bit_length() - 1)) if room > 0 else 1

    def describe(self) -> dict[str, float]:
        """In MB, as `models check` prints them."""
        return {"weights_mb": round(self.weights / 1e6, 1), "mb_per_drawing": round(self.drawing / 1e6, 2)}
