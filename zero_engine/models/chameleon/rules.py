"""The tokens that may come next in a sequence of text and pictures: the reference's four modes as a state machine.

A picture is BOI, exactly N code ids, EOI. BOI is sampled; after it only code ids are allowed, then EOI is forced; code
ids and EOI are allowed nowhere else. BOI is banned where fewer than N + 2 tokens may still be generated. If the prompt
ends inside a picture (BOI is among its last N + 1 ids), that picture is completed first.

- `interleaved-text-image`: all of that.
- `image-only`: pictures one after another, then EOS; the first token is BOI, after EOI the model chooses between BOI
  and EOS. Where no picture fits, the output is id 0 twice and then EOS, as in the reference.
- `text-only`: no code ids, no BOI, no EOI; an open picture stays open.
- `unrestricted`: everything.

A *state* is a small integer, and each state has a fixed set of allowed ids. A state with one allowed id forces it: the
policy does not choose that token, its log p is 0, and it has no loss. States depend on the ids alone, so a trainer
can compute from the ids the sets that they were sampled from:

    rules = Rules.of(model, "interleaved-text-image")
    states_T = rules.states(prompt, generated, max_new_tokens=512)
    logits_TV.masked_fill_(~rules.masks[states_T], float("-inf"))      # (T, V)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from zero_engine.models.chameleon.model import Chameleon

Mode = Literal["text-only", "image-only", "interleaved-text-image", "unrestricted"]
_LEAST_IMAGE_ONLY = 2
"""Image-only output has at least this many tokens before EOS, as in the reference."""


class State(IntEnum):
    """The set of ids that may come next; a state's number is its row in `Rules.masks`."""

    TEXT = 0
    """Text, EOS or BOI."""
    TEXT_NO_BOI = 1
    """Text or EOS: no picture fits any more, or the mode has no pictures."""
    IMAGE = 2
    """Code ids."""
    EOI_FORCED = 3
    ANYTHING = 4
    BOI_FORCED = 5
    BOI_OR_EOS = 6
    EOS_FORCED = 7
    NO_ROOM = 8
    """Image-only without room for a picture: id 0."""


@dataclass(frozen=True)
class Rules:
    """The allowed ids of each state, for a model and a mode. `masks[state, id]` is True where the id is allowed."""

    mode: Mode
    masks: Tensor  # (S, V) bool, on the model's device
    forced: Tensor  # (S,) int64: the only id allowed, or -1
    boi: int
    eos: int
    codes_per_picture: int

    @classmethod
    def of(cls, model: "Chameleon", mode: Mode) -> "Rules":
        """Raises ValueError for an unknown mode or a tokenizer without EOS."""
        if mode not in get_args(Mode):
            raise ValueError(f"mode must be one of {', '.join(get_args(Mode))}, got {mode!r}")
        eos = model.tokenizer.eos_token_id
        if eos is None:
            raise ValueError(f"{model.name}: the tokenizer has no EOS token to stop at")
        layout, vocabulary = model.layout, len(model.module.lm_head.weight)
        masks = torch.zeros(len(State), vocabulary, dtype=torch.bool)
        masks[[State.TEXT, State.TEXT_NO_BOI, State.ANYTHING]] = True
        for state in (State.TEXT, State.TEXT_NO_BOI):
            masks[state, torch.from_numpy(layout.code_ids)] = False
            masks[state, layout.eoi] = False
        masks[State.TEXT_NO_BOI, layout.boi] = False
        masks[State.IMAGE, torch.from_numpy(layout.code_ids)] = True
        masks[State.EOI_FORCED, layout.eoi] = True
        masks[[State.BOI_FORCED, State.BOI_OR_EOS], layout.boi] = True
        masks[[State.EOS_FORCED, State.BOI_OR_EOS], eos] = True
        masks[State.NO_ROOM, 0] = True
        forced = torch.where(masks.sum(dim=1) == 1, masks.int().argmax(dim=1), -1)
        return cls(
            mode, masks.to(model.device), forced.to(model.device), layout.boi, eos, model.codes_per_picture
        )

    @property
    def draws(self) -> bool:
        """Whether BOI opens a picture in this mode."""
        return self.mode in ("interleaved-text-image", "image-only")

    def states(self, prompt: Sequence[int], generated: Sequence[int], max_new_tokens: int) -> np.ndarray:
        """The state in which each generated token was chosen, (T,) int64."""
        due = self.due([prompt]).cpu()
        states = np.empty(len(generated), np.int64)
        for step, token in enumerate(np.asarray(generated, np.int64)):
            states[step] = self.state(due, step, max_new_tokens)[0]
            due = self.after(due, torch.tensor([token]))
        return states

    def due(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Tokens still missing from the open picture of each prompt, EOI included, (B,); 0 where no picture is open."""
        whole = self.codes_per_picture + 1
        missing = []
        for prompt in prompts:
            tail = list(prompt)[-whole:]
            since = tail[::-1].index(self.boi) if self.draws and self.boi in tail else whole
            missing.append(whole - since)
        return torch.tensor(missing, dtype=torch.long, device=self.masks.device)

    def state(self, due_B: Tensor, step: int, max_new_tokens: int) -> Tensor:
        """The state in which token number `step` is chosen, (B,) int64."""
        fits = max_new_tokens - step >= self.codes_per_picture + 2
        if self.mode == "unrestricted":
            outside = State.ANYTHING
        elif self.mode == "text-only":
            outside = State.TEXT_NO_BOI
        elif self.mode == "interleaved-text-image":
            outside = State.TEXT if fits else State.TEXT_NO_BOI
        elif step < _LEAST_IMAGE_ONLY:
            outside = State.BOI_FORCED if fits else State.NO_ROOM
        else:
            outside = State.BOI_OR_EOS if fits else State.EOS_FORCED
        inside_B = torch.where(due_B > 1, int(State.IMAGE), int(State.EOI_FORCED))
        return torch.where(due_B > 0, inside_B, int(outside))

    def after(self, due_B: Tensor, tokens_B: Tensor) -> Tensor:
        """`due` after these tokens, (B,)."""
        opened_B = torch.where(tokens_B == self.boi, self.codes_per_picture + 1, 0) * self.draws
        return torch.where(due_B > 0, due_B - 1, opened_B)
