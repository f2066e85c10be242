"""Losses: pure functions of tensors that return a number to go down from, and figures to log.

PeSFT (arXiv 2601.09536): `CE + lambda L_Pe`, with L_Pe the mean over picture positions of |W h - E[c]|^2, E the frozen
codebook. Means are taken by modality: three pictures are 3072 codes against some 300 tokens of text.

PeRPO: the clipped surrogate of PPO (Schulman et al. 2017) with group advantages (Shao et al. 2024), clipped wider above
than below and averaged over the tokens of the whole optimiser step (DAPO, arXiv 2503.14476), or in GRPO's or Dr. GRPO's
(arXiv 2503.20783) way. Log-ratios are clamped before they are exponentiated.

Every normaliser is a count over the *whole* optimiser step and comes in as an argument, so gradients of parts add up to
the gradient of the whole, however it is cut. Logits exist only where there is something to learn, a part at a time: as
every token's weight is known beforehand, their gradient is made while they are there, and neither is kept.

Shapes: M positions that count, D hidden, V vocabulary, K codes, E width of a code's vector.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from zero_engine.models.chameleon.perception import perception
from zero_engine.render.sequences import PICTURE, TEXT
from zero_engine.train.config import SftLoss
from zero_engine.train.data import Batch

LOG_RATIO = 10.0
"""Largest |log(new / old)|: a token that one numerical accident away must not carry e^50."""
LOGITS, ROWS = 1 << 22, 1024
"""Logits in float32 that exist at one time: what fits a cache. Those of `ROWS` positions wait as gradients of the head,
which is large itself, and would be gone through once for each few of them."""


def pesft_counts(batch: Batch, shift: int) -> Tensor:
    """Text targets, code targets and projected positions of a batch: (3,), to be summed over the optimiser step."""
    kinds = batch.kinds[:, 1:]
    pictures = _projected(batch, shift).sum()
    return torch.stack(((kinds == TEXT).sum(), (kinds == PICTURE).sum(), pictures)).float()


def pesft_loss(
    hidden_BTD: Tensor,
    head_VD: Tensor,
    projection: torch.nn.Linear | None,
    codebook_KE: Tensor,
    batch: Batch,
    counts_3: Tensor,
    options: SftLoss,
) -> tuple[Tensor, dict[str, Tensor]]:
    """This batch's share of `CE + lambda L_Pe`; `counts_3` are `pesft_counts` of the whole optimiser step.

    Figures: sums of nats over text and codes, and the sum of squared distances, to be divided by the counts.
    """
    targets, kinds = batch.ids[:, 1:], batch.kinds[:, 1:]
    counted = kinds != 0
    is_code = kinds[counted] == PICTURE
    text, picture = options.text / counts_3[0].clamp(min=1), options.picture / counts_3[1].clamp(min=1)
    if options.reduction == "tokens":
        text = picture = 1 / counts_3[:2].sum().clamp(min=1)
    weights_M = torch.where(is_code, picture, text)
    loss, nats_M = weighted_nats(hidden_BTD[:, :-1][counted], head_VD, targets[counted], weights_M)
    code = (nats_M * is_code).sum()
    figures = {"text": nats_M.sum() - code, "code": code, "perception": torch.zeros_like(code)}
    if projection is not None:
        at = _projected(batch, options.shift)
        codes = batch.codes[:, options.shift :][at]
        hidden_MD = hidden_BTD[:, : hidden_BTD.shape[1] - options.shift][at]
        distance = perception(hidden_MD, projection, codebook_KE, codes)
        loss = loss + options.perception * distance.sum() / counts_3[2].clamp(min=1)
        figures["perception"] = distance.sum().detach()
    return loss, figures


def weighted_nats(
    hidden_MD: Tensor, head_VD: Tensor, targets_M: Tensor, weights_M: Tensor
) -> tuple[Tensor, Tensor]:
    """The sum of weights times -log p of each target over the whole vocabulary, and these -log p, (M,) float32.

    Only the sum has a gradient, once; logits and their gradient exist for some positions at a time.
    """
    return _WeightedNats.apply(hidden_MD, head_VD, targets_M, weights_M, torch.is_grad_enabled())


class _WeightedNats(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden_MD, head_VD, targets_M, weights_M, learns):
        device = hidden_MD.device.type
        half = torch.is_autocast_enabled(device)
        dtype = torch.get_autocast_dtype(device) if half else torch.result_type(hidden_MD, head_VD)
        nats_M = torch.empty(len(hidden_MD), device=hidden_MD.device)
        by_hidden = torch.empty_like(hidden_MD) if learns and ctx.needs_input_grad[0] else None
        by_head = torch.zeros_like(head_VD) if learns and ctx.needs_input_grad[1] else None
        with torch.autocast(device, enabled=False):
            head, few = head_VD.to(dtype), max(1, LOGITS // len(head_VD))
            slopes = torch.empty(min(ROWS, len(hidden_MD)), len(head), dtype=dtype, device=head.device)
            for start in range(0, len(hidden_MD), ROWS):
                part = slice(start, start + ROWS)
                rows, targets, weights = hidden_MD[part].to(dtype), targets_M[part], weights_M[part, None]
                slope = torch.mm(rows, head.T, out=slopes[: len(rows)])
                pieces = zip(slope.split(few), targets.split(few), strict=True)
                nats_M[part] = torch.cat([_to_slopes(some, ids) for some, ids in pieces])
                if by_hidden is not None:
                    by_hidden[part] = torch.mm(slope, head) * weights
                if by_head is not None:
                    by_head += torch.mm(slope.T, (rows * weights).to(dtype))
        ctx.gradients = by_hidden, by_head
        ctx.mark_non_differentiable(nats_M)
        return (nats_M * weights_M).sum(), nats_M

    @staticmethod
    @once_differentiable
    def backward(ctx, scale, _):
        found, ctx.gradients = ctx.gradients, (None, None)
        return (*(None if each is None else each.mul_(scale) for each in found), None, None, None)


def _to_slopes(logits_RV: Tensor, targets_R: Tensor) -> Tensor:
    """-log p of the targets, (R,) float32; the logits turn into their gradient."""
    logp_RV = torch.log_softmax(logits_RV, dim=-1, dtype=torch.float32)
    nats_R = -logp_RV.gather(1, targets_R[:, None])[:, 0]
    minus_one = torch.full((len(targets_R), 1), -1.0, device=logp_RV.device)
    logits_RV.copy_(logp_RV.exp_().scatter_add_(1, targets_R[:, None], minus_one))
    return nats_R


def allowed_log_p(
    hidden_MD: Tensor, head_VD: Tensor, ids_M: Tensor, states_M: Tensor, allowed: Mapping[int, Tensor]
) -> tuple[Tensor, Tensor]:
    """log p of each token over the ids that were allowed where it stands, and the entropy there; (M,) float32.

    `states_M` says which of `allowed`'s id lists, ascending, holds at a position. A token that was the only one
    allowed has log p 0 and no gradient.
    """
    logp_M = torch.zeros(len(hidden_MD), dtype=torch.float32, device=hidden_MD.device)
    entropy_M = torch.zeros_like(logp_M)
    for state, allowed_A in allowed.items():
        at = (states_M == state).nonzero()[:, 0]
        if len(at) == 0 or len(allowed_A) < 2:
            continue
        logits = functional.linear(hidden_MD[at], head_VD[allowed_A]).float()
        logp_RA = torch.log_softmax(logits, dim=-1)
        picked = torch.searchsorted(allowed_A, ids_M[at])
        logp_M = logp_M.index_put((at,), logp_RA.gather(1, picked[:, None])[:, 0])
        with torch.no_grad():
            entropy_M[at] = -(logp_RA.exp() * logp_RA).sum(-1)
    return logp_M, entropy_M


def token_scales(kind: str, lengths_N: Tensor, longest: int) -> Tensor:
    """What each token of a sequence weighs, (N,), from the counted lengths of *all* sequences of the optimiser step.

    dapo: one mean over all tokens. grpo: means of sequences, averaged. dr_grpo: a constant length for all.
    """
    lengths_N = lengths_N.float()
    if kind == "dapo":
        return torch.ones_like(lengths_N) / lengths_N.sum().clamp(min=1)
    if kind == "grpo":
        return 1 / (len(lengths_N) * lengths_N.clamp(min=1))
    return torch.full_like(lengths_N, 1 / (len(lengths_N) * longest))


def policy_loss(
    logp_M: Tensor,
    old_M: Tensor,
    advantage_M: Tensor,
    scale_M: Tensor,
    *,
    clip_low: float,
    clip_high: float,
    reference_M: Tensor | None = None,
    kl: float = 0.0,
    copies_M: Tensor | float = 1.0,
) -> tuple[Tensor, dict[str, Tensor]]:
    """-sum of scale min(r A, clip(r) A), plus kl times the k3 estimate of KL(new, reference).

    `scale_M` is `token_scales` times the weight of the token's modality; 0 for a token that the rules forced. A token
    that stands for `copies_M` equal ones has the sum of their scales. Figures are sums over tokens that count, copies,
    too: clipped above and below, KL.
    """
    log_ratio = (logp_M - old_M).clamp(-LOG_RATIO, LOG_RATIO)
    ratio = log_ratio.exp()
    surrogate = torch.minimum(ratio * advantage_M, ratio.clamp(1 - clip_low, 1 + clip_high) * advantage_M)
    loss = -(scale_M * surrogate).sum()
    counted = copies_M * (scale_M > 0)
    figures = {
        "clip_high": (counted * (advantage_M > 0) * (ratio > 1 + clip_high)).sum(),
        "clip_low": (counted * (advantage_M < 0) * (ratio < 1 - clip_low)).sum(),
        "tokens": counted.sum(),
    }
    if reference_M is not None and kl:
        difference = (reference_M - logp_M).clamp(-LOG_RATIO, LOG_RATIO)
        divergence = difference.exp() - difference - 1
        loss = loss + kl * (scale_M * divergence).sum()
        figures["kl"] = (divergence * counted).sum().detach()
    return loss, figures


def _projected(batch: Batch, shift: int) -> Tensor:
    """Positions (B, T - shift) whose hidden state is projected: those at a code of a whole picture, or before one."""
    return (batch.codes >= 0)[:, shift:]
