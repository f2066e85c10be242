"""Generate text and pictures interleaved: many sequences at once, each by its own seed, under the rules of `rules`.

What it promises:
- Each row stops at its own EOS, and is dropped from the batch soon after.
- A row's random numbers are uniforms from its own seed, one a token, turned into tokens by the inverse of the
  cumulative distribution as in `decoding`. On CPU in float32 a row's tokens and log-probabilities are the same
  bits whatever its neighbours are: a sequence's keys lie at its own positions, and what pads them adds zeros.
- `logp` is the policy's: at temperature 1 and over the allowed set, before top-k and top-p. Tokens that the rules force
  have 0 and are marked.
- The weights are those that the module has *now*: every call takes them up again (`Chameleon.refresh`), so a module
  may be trained between two calls, in place or by `load_state_dict`. Its parameters stay the same objects. Adapters
  have to be merged first: what is read is each layer's own weight.

Equal prompts are prefilled once, so the rollouts of a group share the work. There is no guidance here: what a policy
would do under guidance is not what it is trained on.

Shapes: B rows, G key/value heads, H heads, r heads for each of G, d head width, S slots, V vocabulary, T tokens.

    [done] = generate(model, [prompt_ids(model, "Draw 3 apples.")], [0], mode="interleaved-text-image",
                      max_new_tokens=256, sampling=Sampling(top_p=0.9))
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from zero_engine.models.chameleon import Chameleon
from zero_engine.models.decoding import Sampling, choose, uniforms_from
from zero_engine.models.rules import Mode, Rules
from zero_engine.models.trunk import SLOT_MULTIPLE, Trunk, rms_norm, rows_by

IMAGE_PLACEHOLDER = "<image>"
PREFILLED_SLOTS = 4096
"""Positions of prompts run through the layers at once; no number depends on it."""
_SLOTS = 2 * SLOT_MULTIPLE
"""The cache is read in multiples of this: smaller products take other kernels, and get other bits."""
_FEW_ROWS = 8
"""Fewer rows than this are no faster, so they stay together to the end."""


@dataclass(frozen=True, slots=True)
class Continuation:
    """What one row wrote after its prompt."""

    ids: np.ndarray  # (T,) int64, EOS included where it was written
    forced: np.ndarray  # (T,) bool: tokens that the rules left no choice about
    logp: np.ndarray  # (T,) float32, log p at temperature 1 over the allowed set; 0 where forced
    finish: str  # "eos" or "length"


def generate(
    model: Chameleon,
    prompts: Sequence[Sequence[int]],
    seeds: Sequence[int],
    *,
    mode: Mode,
    max_new_tokens: int,
    sampling: Sampling,
) -> list[Continuation]:
    """Continue each prompt, given as ids (see `prompt_ids`), by at most `max_new_tokens`; rows in the order given.

    Raises ValueError for seeds that do not match, an empty prompt, a prompt without room, or guidance.
    """
    if len(prompts) != len(seeds):
        raise ValueError(f"one seed per prompt: got {len(prompts)} prompts and {len(seeds)} seeds")
    if sampling.guidance != 1:
        raise ValueError(f"interleaved generation has no guidance, got {sampling.guidance}")
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens must be at least 1, got {max_new_tokens}")
    room = model.module.config.max_position_embeddings - max_new_tokens
    for prompt in prompts:
        if not 0 < len(prompt) <= room:
            raise ValueError(
                f"a prompt has {len(prompt)} ids; with max_new_tokens={max_new_tokens} it must have 1 to {room}"
            )
    if not prompts:
        return []
    model.refresh()
    return _generate(model, prompts, seeds, Rules.of(model, mode), max_new_tokens, sampling)


def prompt_ids(
    model: Chameleon, text: str, images: Sequence[np.ndarray | Image.Image] = (), *, separator: bool = False
) -> list[int]:
    """Ids of a prompt: BOS and the text, each `<image>` in it replaced by BOI, the codes of that picture and EOI.

    `separator` adds the token that ends a user's turn in the reference's chats. Raises ValueError when placeholders and
    pictures do not match in number, or the tokenizer has no separator.
    """
    pieces = text.split(IMAGE_PLACEHOLDER)
    if len(pieces) != len(images) + 1:
        raise ValueError(
            f"the text has {len(pieces) - 1} {IMAGE_PLACEHOLDER} for {len(images)} pictures; give one each"
        )
    layout = model.layout
    ids = [layout.bos, *model._text_ids(pieces[0])]
    codes_BN = model.encode(images) if len(images) else []
    for codes, piece in zip(codes_BN, pieces[1:], strict=True):
        ids += [*model._picture_ids([codes]), *model._text_ids(piece)]
    if separator:
        if model.tokenizer.sep_token_id is None:
            raise ValueError(f"{model.name}: the tokenizer has no separator token")
        ids.append(model.tokenizer.sep_token_id)
    return ids


@torch.inference_mode()
def _generate(
    model: Chameleon,
    prompts: Sequence[Sequence[int]],
    seeds: Sequence[int],
    rules: Rules,
    max_new_tokens: int,
    sampling: Sampling,
) -> list[Continuation]:
    trunk, head_DV = model._trunk, model._head
    device, batch = trunk.device, len(prompts)
    uniforms_TB = uniforms_from(seeds, max_new_tokens).to(device)
    tokens_TB = torch.zeros(max_new_tokens, batch, dtype=torch.long, device=device)
    logp_TB = torch.zeros(max_new_tokens, batch, dtype=torch.float32, device=device)
    states_TB = torch.zeros(max_new_tokens, batch, dtype=torch.long, device=device)

    cache, hidden_BD = _prefill(trunk, prompts)
    rows = torch.arange(batch, device=device)  # where the rows that are still in the batch stood
    due_B = rules.due(prompts)
    ended_B = torch.zeros(batch, dtype=torch.bool, device=device)
    for step in range(max_new_tokens):
        state_B = rules.state(due_B, step, max_new_tokens)
        logits_BV = rows_by(hidden_BD, head_DV).float().masked_fill_(~rules.masks[state_B], float("-inf"))
        logp_BV = torch.log_softmax(logits_BV, dim=-1)
        forced_B = rules.forced[state_B]
        chosen_B = choose(logp_BV, uniforms_TB[step, rows], sampling)
        token_B = torch.where(forced_B >= 0, forced_B, chosen_B)
        tokens_TB[step, rows], states_TB[step, rows] = token_B, state_B
        logp_TB[step, rows] = logp_BV.gather(1, token_B[:, None])[:, 0]
        due_B = rules.after(due_B, token_B)
        ended_B |= token_B == rules.eos
        if (step + 1) % SLOT_MULTIPLE == 0:
            going = (~ended_B).nonzero()[:, 0]
            if len(going) == 0:
                break
            if _FEW_ROWS <= len(going) <= 0.75 * len(rows):
                rows, due_B, ended_B, token_B = rows[going], due_B[going], ended_B[going], token_B[going]
                cache.keep(going)
        if step + 1 < max_new_tokens:
            hidden_BD = cache.advance(functional.embedding(token_B, trunk.embedding))
    forced_TB = rules.forced[states_TB] >= 0
    return _cut(rules.eos, *(array.cpu().numpy().T for array in (tokens_TB, forced_TB, logp_TB)))


def _cut(eos: int, ids_BT: np.ndarray, forced_BT: np.ndarray, logp_BT: np.ndarray) -> list[Continuation]:
    """Rows up to their EOS. Past it stands what nobody asked for."""
    continuations = []
    for ids, forced, logp in zip(ids_BT, forced_BT, logp_BT, strict=True):
        ends = np.flatnonzero(ids == eos)
        stop = ends[0] + 1 if len(ends) else len(ids)
        chosen = np.where(forced, np.float32(0), logp)
        finish = "eos" if len(ends) else "length"
        continuations.append(Continuation(ids[:stop].copy(), forced[:stop].copy(), chosen[:stop], finish))
    return continuations


def _prefill(trunk: Trunk, prompts: Sequence[Sequence[int]]) -> tuple["_Cache", Tensor]:
    """The cache of all rows, and the hidden states of their last ids, (B, D). Equal prompts are run once."""
    unique = list(dict.fromkeys(map(tuple, prompts)))
    slots = _slots(max(map(len, unique)))
    at_once = max(1, PREFILLED_SLOTS // slots)
    hiddens, parts = [], []
    for start in range(0, len(unique), at_once):
        hidden_BD, layers = trunk.prefill(unique[start : start + at_once], last_only=True)
        hiddens.append(hidden_BD)
        pairs = [torch.stack(pair) for pair in layers]
        parts.append(torch.stack([functional.pad(pair, (0, 0, 0, slots - pair.shape[3])) for pair in pairs]))
    index = {prompt: position for position, prompt in enumerate(unique)}
    places = torch.tensor([index[tuple(prompt)] for prompt in prompts], device=trunk.device)
    memory = torch.cat(parts, dim=2)[:, :, places]
    lengths_B = torch.tensor([len(prompt) for prompt in prompts], device=trunk.device)
    return _Cache(trunk, memory, lengths_B, max(map(len, prompts))), torch.cat(hiddens)[places]


def _slots(length: int) -> int:
    return -(-length // _SLOTS) * _SLOTS


class _Cache:
    """Keys and values (layers, 2, B, G, S, d), each row's from slot 0 on; a slot past a row's end is masked."""

    def __init__(self, trunk: Trunk, memory: Tensor, lengths_B: Tensor, longest: int):
        self.trunk, self.memory, self.lengths, self.longest = trunk, memory, lengths_B, longest
        beyond_BS = torch.arange(memory.shape[4], device=trunk.device) >= lengths_B[:, None]
        # what the padding of a prompt left behind is finite, and its weight is exactly 0
        self.mask = torch.zeros_like(beyond_BS, dtype=trunk.dtype).masked_fill_(beyond_BS, float("-inf"))
        self.rows = torch.arange(len(lengths_B), device=trunk.device)

    def keep(self, rows: Tensor) -> None:
        """Drop all other rows."""
        self.memory, self.mask, self.lengths = self.memory[:, :, rows], self.mask[rows], self.lengths[rows]
        self.rows = self.rows[: len(rows)]

    def advance(self, hidden_BD: Tensor) -> Tensor:
        """Feed one token a row (their embeddings), and return the normed hidden states."""
        trunk = self.trunk
        self.longest += 1
        seen = _slots(self.longest)
        if seen > self.memory.shape[4]:
            grown = max(seen, 2 * self.memory.shape[4]) - self.memory.shape[4]
            self.memory = functional.pad(self.memory, (0, 0, 0, grown))
            self.mask = functional.pad(self.mask, (0, grown), value=float("-inf"))
        cos_Bd, sin_Bd = trunk.rotations(self.lengths)
        self.mask[self.rows, self.lengths] = 0
        mask_B11S = self.mask[:, None, None, :seen]
        for layer, (keys_BGSd, values_BGSd) in zip(trunk.layers, self.memory, strict=True):
            q, k, v = trunk.project(layer, hidden_BD, cos_Bd[:, None], sin_Bd[:, None])
            keys_BGSd[self.rows, :, self.lengths], values_BGSd[self.rows, :, self.lengths] = k, v
            attended_BD = _attend(q, keys_BGSd[:, :, :seen], values_BGSd[:, :, :seen], mask_B11S)
            hidden_BD = trunk.finish(layer, hidden_BD, attended_BD)
        self.lengths = self.lengths + 1
        return rms_norm(hidden_BD, trunk.final_norm, trunk.eps)


def _attend(q_BHd: Tensor, keys_BGSd: Tensor, values_BGSd: Tensor, mask_B11S: Tensor) -> Tensor:
    """One query position a row over its own keys, (B, H * d)."""
    batch, kv_heads, slots, width = keys_BGSd.shape
    queries = q_BHd.reshape(batch * kv_heads, -1, width)
    scores = torch.bmm(queries, keys_BGSd.flatten(0, 1).mT).view(batch, kv_heads, -1, slots).add_(mask_B11S)
    weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(q_BHd.dtype)
    return torch.bmm(weights.flatten(0, 1), values_BGSd.flatten(0, 1)).view(batch, -1)
