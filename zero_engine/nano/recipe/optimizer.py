"""Optimiser: Muon on the matrices, AdamW on embeddings, head and norms; one learning rate for both.

Muon (Jordan 2024) orthogonalises the momentum of a matrix by five Newton-Schulz steps; the update is scaled by 0.2
sqrt(max(rows, columns)) (Liu et al. 2025, arXiv 2502.16982), which gives it AdamW's size. The steps may run in
bfloat16, as in the original; momentum and weights stay in float32. Matrices of one shape are orthogonalised together;
a convolution counts as the matrix (outputs, inputs x kernel).
"""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor, nn

_MOMENTUM = 0.95


class MuonAdamW:
    """`step(lr)` applies the gradients and clears them; `state_dict` and `load_state_dict` resume exactly."""

    def __init__(self, model: nn.Module, weight_decay: float = 0.02, *, bfloat16: bool = False):
        self.dtype = torch.bfloat16 if bfloat16 else torch.float32
        by_shape: dict[tuple[int, ...], list[nn.Parameter]] = defaultdict(list)
        rest = []
        for name, weight in model.named_parameters():
            if not weight.requires_grad:
                continue
            if (weight.dim() == 2 and ".layers." in name and "norm" not in name) or weight.dim() == 4:
                by_shape[tuple(weight.shape)].append(weight)
            else:
                rest.append(weight)
        self.groups = list(by_shape.values())
        self.weight_decay = weight_decay
        self.momenta = [
            torch.zeros(len(group), *group[0].shape, device=group[0].device) for group in self.groups
        ]
        self.adam = torch.optim.AdamW(rest, betas=(0.9, 0.97), eps=1e-10, weight_decay=0.0, fused=True)
        self.weights = [weight for group in self.groups for weight in group] + rest

    @torch.no_grad()
    def step(self, lr: float) -> float:
        """Returns the gradient's norm before clipping to 1."""
        norm = torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        for group, momentum in zip(self.groups, self.momenta, strict=True):
            grads = torch.stack([weight.grad for weight in group])
            momentum.lerp_(grads, 1 - _MOMENTUM)
            update = orthogonalise(grads.lerp(momentum, _MOMENTUM).flatten(2).to(self.dtype)).float()
            scale = 0.2 * max(update.shape[-2:]) ** 0.5
            for weight, direction in zip(group, update, strict=True):
                weight.mul_(1 - lr * self.weight_decay).add_(direction.view_as(weight), alpha=-lr * scale)
        for settings in self.adam.param_groups:
            settings["lr"] = lr
        self.adam.step()
        for weight in self.weights:
            weight.grad = None
        return float(norm)

    def state_dict(self) -> dict:
        return {"momenta": self.momenta, "adam": self.adam.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        self.momenta = [
            saved.to(now.device) for saved, now in zip(state["momenta"], self.momenta, strict=True)
        ]
        self.adam.load_state_dict(state["adam"])


def orthogonalise(matrices_NRC: Tensor) -> Tensor:
    """The nearest (semi-)orthogonal matrices, roughly: singular values end up between 0.7 and 1.2."""
    tall = matrices_NRC.shape[-2] > matrices_NRC.shape[-1]
    x = matrices_NRC.mT if tall else matrices_NRC
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(5):
        gram = x @ x.mT
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x.mT if tall else x
