"""The parameters of an ensemble's members as numba's kernels take them.

Shapes: s members, P parameters of a member.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from kancli.kan.compiled.tables import Layout
from kancli.kan.network import as_kan
from kancli.training.parameters import NAMES, ParameterRows


class MemberTables:
    """All parameters of the members, trained or not, in the kernels' order.

    Args:
        narrow: see `tables.Layout.of`; the kernels of equations take other tables only.
    """

    def __init__(self, rows: ParameterRows, *, narrow: bool = True) -> None:
        self.rows, self.model = rows, as_kan(rows.model)
        self.layout = Layout.of(self.model, narrow=narrow)
        self.names = [
            (number, name)
            for number, layer in enumerate(self.model.layers)
            for name in NAMES
            if getattr(layer, name, None) is not None
        ]
        self.all_train = self.names == rows.trained
        layers, n_members = self.model.layers, len(rows.values)
        masks = [layer.mask.flatten(1) for layer in layers if layer.mask is not None]
        self.mask = (torch.cat(masks, dim=1) if masks else torch.zeros(n_members, 0, dtype=torch.bool)).numpy()

    def values(self) -> np.ndarray:
        """`[s, P]`."""
        if self.all_train:
            return self.rows.values.detach().numpy()
        return torch.cat([self._parameter(name).flatten(1) for name in self.names], dim=1).numpy()

    def trained(self, grads: np.ndarray) -> Tensor:
        """The columns of `[s, P]` of the parameters that train."""
        if self.all_train:
            return torch.from_numpy(grads)
        sizes = [self._parameter(name)[0].numel() for name in self.names]
        parts = torch.from_numpy(grads).split(sizes, dim=1)
        return torch.cat([part for name, part in zip(self.names, parts, strict=True) if name in self.rows.trained], 1)

    def _parameter(self, name: tuple[int, str]) -> Tensor:
        return getattr(self.model.layers[name[0]], name[1]).detach()
