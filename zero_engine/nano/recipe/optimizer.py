"""Optimiser: Muon on the matrices, AdamW on embeddings, head and norms; one learning rate for both.

Muon (Jordan 2024) orthogonalises the momentum of a matrix by five Newton-Schulz steps; the update is scaled by 0.2
sqrt(max(rows, columns)) (Liu et al. 2025, arXiv 2502.16982), which gives it AdamW's size. The steps may run in
bfloat16, as in the original; momentum and weights stay in float32. Matrices of one shape are orthogonalised together;
a convolution counts as the matrix (outputs, inputs x kernel). Processes that train together share these steps, a
fifth of the work of a small model: each makes its own matrices' updates, and all add them up.
"""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor, distributed, nn

_MOMENTUM = 0.95


class MuonAdamW:
    """`step(lr)` applies the gradients and clears them; `state_dict` and `load_state_dict` resume exactly."""

    def __init__(
        self,
        model: nn.Module,
        weight_decay: float = 0.02,
        *,
        bfloat16: bool = False,
        rank: int = 0,
        processes: int = 1,
    ):
        self.rank, self.processes = rank, processes
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
        updates = []
        for group, momentum in zip(self.groups, self.momenta, strict=True):
            grads = torch.stack([_gradient(weight) for weight in group])
            momentum.lerp_(grads, 1 - _MOMENTUM)
            updates.append(self._directions(grads.lerp(momentum, _MOMENTUM).flatten(2)))
        for group, update in zip(self.groups, self._of_all(updates), strict=True):
            scale = 0.2 * max(update.shape[-2:]) ** 0.5
            for weight, direction in zip(group, update, strict=True):
                weight.mul_(1 - lr * self.weight_decay).add_(direction.view_as(weight), alpha=-lr * scale)
        for settings in self.adam.param_groups:
            settings["lr"] = lr
        self.adam.step()
        for weight in self.weights:
            weight.grad = None
        return float(norm)

    def _directions(self, moments_NRC: Tensor) -> Tensor:
        """Each matrix made orthogonal, float32; zero for those that are another process's work."""
        mine = slice(self.rank, None, self.processes)
        directions = torch.zeros_like(moments_NRC)
        if len(moments_NRC[mine]):
            directions[mine] = orthogonalise(moments_NRC[mine].to(self.dtype)).float()
        return directions

    def _of_all(self, updates: list[Tensor]) -> list[Tensor]:
        """The updates of all processes together."""
        if self.processes == 1:
            return updates
        flat = torch.cat([update.reshape(-1) for update in updates])
        distributed.all_reduce(flat)
        parts = flat.split([update.numel() for update in updates])
        return [part.view_as(update) for part, update in zip(parts, updates, strict=True)]

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


def _gradient(weight: nn.Parameter) -> Tensor:
    assert weight.grad is not None, "every matrix takes part in the loss"
    return weight.grad
