"""Errors on samples that do not train, computed by numba kernels."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from kancli.kan.compiled.kernels import CHUNK
from kancli.kan.compiled.tables import fold_members
from kancli.kan.shares import in_threads
from kancli.tasks.task import Samples
from kancli.training import evaluation_kernel as kernel
from kancli.training.member_tables import MemberTables


def squared_errors_by_tables(tables: MemberTables, samples: Samples) -> Tensor:
    """As `evaluation.squared_errors`, of the parameters that tables have."""
    layout, values = tables.layout, tables.values()
    n_members = len(values)
    folded = np.zeros((n_members, layout.table_size), values.dtype)
    fold_members(layout, values, tables.mask, folded)
    x, y = samples.x.contiguous().numpy(), samples.y.contiguous().numpy()
    errors = np.zeros((n_members, -(-len(x) // CHUNK)))
    where = (layout.layers, layout.grid, layout.ends, x, y, folded, errors)
    in_threads(lambda first, last: kernel.squared_errors(first, last, *where), errors.size, layout.least_share(CHUNK))
    return torch.from_numpy(errors.cumsum(1)[:, -1])  # in order, as `steps_kernel`
