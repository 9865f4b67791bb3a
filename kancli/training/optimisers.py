"""Optimisers of all members at once, with a state for each member.

Shapes: s members, P trained numbers of a member.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

BETAS, EPS = (0.9, 0.999), 1e-8  # of Adam, as in torch.optim and optax
WEIGHT_DECAY = 1e-2  # of AdamW, as in torch.optim


@dataclass
class Adam:
    """Adam (Kingma and Ba, ICLR 2015, algorithm 1); with `weight_decay` AdamW (Loshchilov and Hutter, ICLR 2019).

    Every member has made the same number of steps: one that stops never goes on.
    """

    lr: float
    weight_decay: float = 0.0
    n_steps: int = 0
    moments: dict[str, Tensor] = field(default_factory=dict)  # first and second, [s, P]

    @torch.no_grad()
    def update_(self, values: Tensor, grads: Tensor) -> None:
        """One step, in place; values and gradients `[s, P]`."""
        first, second = self.moments_of(values)
        ((step_size, root),) = self.corrections(1)
        self.n_steps += 1
        beta1, beta2 = BETAS
        if self.weight_decay:
            values.mul_(self.kept_share)
        first.lerp_(grads, 1 - beta1)
        second.mul_(beta2).addcmul_(grads, grads, value=1 - beta2)
        spread = second.sqrt().div_(root).add_(EPS)
        values.addcdiv_(first, spread, value=-step_size)

    @property
    def kept_share(self) -> float:
        """What weight decay leaves of the values."""
        return 1 - self.lr * self.weight_decay

    def moments_of(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """The first and second moments, `[s, P]`, 0 before the first step."""
        if not self.moments:
            self.moments = {name: torch.zeros_like(values) for name in ("first", "second")}
        return self.moments["first"], self.moments["second"]

    def corrections(self, count: int) -> list[tuple[float, float]]:
        """lr / (1 - beta1^t) and the root of 1 - beta2^t of the next steps t."""
        beta1, beta2 = BETAS
        steps = range(self.n_steps + 1, self.n_steps + 1 + count)
        return [(self.lr / (1 - beta1**step), math.sqrt(1 - beta2**step)) for step in steps]


@dataclass
class SGD:
    """values - lr gradients."""

    lr: float
    n_steps: int = 0
    moments: dict[str, Tensor] = field(default_factory=dict)  # none

    @torch.no_grad()
    def update_(self, values: Tensor, grads: Tensor) -> None:
        """One step, in place; values and gradients `[s, P]`."""
        self.n_steps += 1
        values.sub_(grads, alpha=self.lr)


Optimiser = Adam | SGD


def optimiser(name: str, lr: float, adam: type[Adam] = Adam) -> Optimiser:
    """The optimiser of that name, adam, adamw or sgd, before its first step.

    Args:
        adam: the class that makes the steps of the former two.
    """
    if name == "sgd":
        return SGD(lr)
    return adam(lr, weight_decay=WEIGHT_DECAY if name == "adamw" else 0.0)
