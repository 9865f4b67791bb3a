"""Record what jaxKAN draws: `python -P jaxkan_draws.py > jaxkan_draws.json` with jaxKAN==0.3.7 installed.

-P, as its package has the name of a file here. Recorded with jax 0.10.2 and flax 0.12.8.
"""

import json

import jax  # pyright: ignore[reportMissingImports]
import numpy as np
from jaxkan.models.KAN import KAN  # pyright: ignore[reportMissingImports]

POWERS = {"pow_b1": 1.75, "pow_b2": 1.75, "pow_r1": 0.25, "pow_r2": 0.25}
MORE_POWERS = {"const_b": 2.0, "pow_b1": 0.5, "pow_b2": 1.0, "const_r": 0.5, "pow_r1": 0.75, "pow_r2": 0.25}
CASES = [
    {"width": [2, 3, 1], "grid": 5, "seed": 0, "scheme": {"type": "default"}},
    {"width": [3, 2, 2], "grid": 4, "seed": 7, "scheme": {"type": "default", "std": 0.5}},
    {"width": [2, 2], "grid": 3, "seed": 2**31 - 1, "scheme": {"type": "power", **POWERS}},
    {"width": [4, 1], "grid": 3, "seed": 3, "scheme": {"type": "power", **MORE_POWERS}},
    {"width": [2, 3], "grid": 3, "seed": 1, "scheme": {"type": "default"}, "residual": None},
]

recorded = []
for case in CASES:
    parameters = {"k": 3, "G": case["grid"], "init_scheme": case["scheme"]}
    if "residual" in case:
        parameters["residual"] = None
    model = KAN(case["width"], "base", parameters, seed=case["seed"])
    layers = []
    for layer in model.layers:
        tensors = {name: getattr(layer, name, None) for name in ("c_res", "c_basis", "c_spl", "bias")}
        layers.append(
            {name: np.asarray(tensor[...]).tolist() for name, tensor in tensors.items() if tensor is not None}
        )
    recorded.append({**case, "layers": layers})

key = jax.random.fold_in(jax.random.key(42), 5)
bits = {
    "key": np.asarray(jax.random.key_data(key)).tolist(),
    "uniform": np.asarray(jax.random.uniform(key, (2, 7), minval=-1.0)).tolist(),
    "normal": np.asarray(jax.random.normal(key, (50,))).tolist(),
}
print(json.dumps({"jax": jax.__version__, "random": bits, "models": recorded}))
