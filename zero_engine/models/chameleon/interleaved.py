"""Generates interleaved text and pictures: many sequences at once, each by its own seed, under the rules of `rules`.

What it promises:
- Each row stops at its own EOS, and leaves the batch soon after.
- A row's random numbers are uniforms from its own seed, one a token. The inverse of the cumulative distribution turns
  them into tokens (see `models.sampling`). On a CPU in float32 a row's tokens and log-probabilities do not depend on
  the other rows.
- `logp` is the policy's log-probability at temperature 1 over the allowed set, before top-k and top-p. It is 0 for
  tokens that the rules force, and `forced` marks them.
- Every call packs the module's present weights (`Chameleon.refresh`), so the module may be trained between two calls,
  in place or by `load_state_dict`. Its parameters stay the same objects. Merge adapters first: only each layer's own
  weight is read.

Rows with the same prompt and the same tokens so far are computed once (see `nodes`), so the rollouts of a group share
work until their tokens differ; that is late for a confident policy. There is no guidance: a policy is trained on its
own distribution, not on a guided one.

Shapes: B rows, M nodes, D hidden, V vocabulary, T tokens.

    [done] = generate(model, [prompt_ids(model, "Draw 3 apples.")], [0], mode="interleaved-text-image",
                      max_new_tokens=256, sampling=Sampling(top_p=0.9))
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from zero_engine.batches import SLOT_MULTIPLE
from zero_engine.models.chameleon.graphed import memory_for
from zero_engine.models.chameleon.model import Chameleon
from zero_engine.models.chameleon.nodes import Nodes
from zero_engine.models.chameleon.rules import Mode, Rules
from zero_engine.models.chameleon.trunk import rows_by
from zero_engine.models.prompt import Sampling
from zero_engine.models.sampling import choose, uniforms_from

IMAGE_PLACEHOLDER = "<image>"
_FEW_ROWS = 8
"""Batches of fewer rows are no faster, so no row is dropped below this."""


@dataclass(frozen=True, slots=True)
class Continuation:
    """The tokens that one row generated after its prompt."""

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
    """Continues each prompt of ids (see `prompt_ids`) by at most `max_new_tokens` tokens. Rows keep their order.

    Raises ValueError for another number of seeds than prompts, an empty or too long prompt, or guidance.
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
    ids = [layout.bos, *model.text_ids(pieces[0])]
    codes_BN: Iterable[np.ndarray] = model.encode(images) if len(images) else ()
    for codes, piece in zip(codes_BN, pieces[1:], strict=True):
        ids += model.segment_ids((codes, piece))
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
    trunk, head_DV = model.trunk, model.head
    device, batch = trunk.device, len(prompts)
    uniforms_TB = uniforms_from(seeds, max_new_tokens).to(device)
    tokens_TB = torch.zeros(max_new_tokens, batch, dtype=torch.long, device=device)
    logp_TB = torch.zeros(max_new_tokens, batch, dtype=torch.float32, device=device)
    states_TB = torch.zeros(max_new_tokens, batch, dtype=torch.long, device=device)

    nodes = Nodes(prompts, batch, device)
    memory = memory_for(trunk, nodes.prompts, batch, max_new_tokens)
    hidden_MD = memory.last_hidden
    rows = torch.arange(batch, device=device)  # numbers of the rows that are still in the batch
    due_B = rules.due(prompts)
    ended_B = torch.zeros(batch, dtype=torch.bool, device=device)
    for step in range(max_new_tokens):
        state_B = rules.state(due_B, step, max_new_tokens)
        allowed_MV = rules.masks[state_B[nodes.first_row]]
        logits_MV = rows_by(hidden_MD, head_DV).float().masked_fill_(~allowed_MV, float("-inf"))
        logp_MV = torch.log_softmax(logits_MV, dim=-1)
        forced_B = torch.where(
            ended_B, rules.eos, rules.forced[state_B]
        )  # ended rows get EOS, so they split no node
        chosen_B = choose(logp_MV, uniforms_TB[step, rows], sampling, nodes.of_row)
        token_B = torch.where(forced_B >= 0, forced_B, chosen_B)
        tokens_TB[step, rows], states_TB[step, rows] = token_B, state_B
        logp_TB[step, rows] = logp_MV[nodes.of_row, token_B]
        due_B = rules.after(due_B, token_B)
        ended_B |= token_B == rules.eos
        if (step + 1) % SLOT_MULTIPLE == 0:
            going = (~ended_B).nonzero()[:, 0]
            if len(going) == 0:
                break
            if _FEW_ROWS <= len(going) <= 0.75 * len(rows):
                rows, due_B, ended_B, token_B = rows[going], due_B[going], ended_B[going], token_B[going]
                memory.keep(nodes.keep(going), limit=len(going))
        if step + 1 < max_new_tokens:
            memory.fork(nodes.split(token_B))
            inputs_M = token_B[nodes.first_row]
            hidden_MD = memory.advance(functional.embedding(inputs_M, trunk.embedding), step)
    forced_TB = rules.forced[states_TB] >= 0
    return _cut(rules.eos, *(array.cpu().numpy().T for array in (tokens_TB, forced_TB, logp_TB)))


def _cut(eos: int, ids_BT: np.ndarray, forced_BT: np.ndarray, logp_BT: np.ndarray) -> list[Continuation]:
    """Each row up to its EOS; what was generated after it is dropped."""
    continuations = []
    for ids, forced, logp in zip(ids_BT, forced_BT, logp_BT, strict=True):
        ends = np.flatnonzero(ids == eos)
        stop = ends[0] + 1 if len(ends) else len(ids)
        chosen = np.where(forced, np.float32(0), logp)
        finish = "eos" if len(ends) else "length"
        continuations.append(Continuation(ids[:stop].copy(), forced[:stop].copy(), chosen[:stop], finish))
    return continuations
