"""The lines of Python that load an exported file into a new model of a library."""

from __future__ import annotations

from kancli.bridges.spec import NetworkSpec
from kancli.errors import ConfigError
from kancli.kan.base_functions import IN_FUNCTIONAL

IN_JAX = {
    "silu": "jax.nn.silu", "relu": "jax.nn.relu", "relu6": "jax.nn.relu6", "elu": "jax.nn.elu", "celu": "jax.nn.celu",
    "selu": "jax.nn.selu", "softplus": "jax.nn.softplus", "sigmoid": "jax.nn.sigmoid", "mish": "jax.nn.mish",
    "tanh": "jax.numpy.tanh", "sin": "jax.numpy.sin", "cos": "jax.numpy.cos", "square": "jax.numpy.square",
    "gelu": "lambda x: jax.nn.gelu(x, approximate=False)", "identity": "lambda x: x", "zero": "jax.numpy.zeros_like",
}  # fmt: skip
LOAD_ARRAYS = """\
for name, values in {load}.items():
    _, number, tensor = name.split(".")[:3]
    layer = model.layers[int(number)]
    if tensor == "grid":
        layer.grid.item = jax.numpy.asarray(values)
    else:
        getattr(layer, tensor).set_value(jax.numpy.asarray(values))"""


def loading_lines(library: str, spec: NetworkSpec, file: str) -> list[str]:
    """Lines that build a model of the spec's sizes, `model`, and load a file of `model.new_tensors` into it.

    Raises:
        ConfigError: the library has no such base function, or there is no code for loading into it.
    """
    is_safe = file.endswith(".safetensors")
    if library == "jaxkan":
        load = f"safetensors.numpy.load_file({file!r})" if is_safe else f"numpy.load({file!r})"
        return [
            f"import jax, {'safetensors.numpy' if is_safe else 'numpy'}, jaxkan.models.KAN",
            f"model = jaxkan.models.KAN.KAN({list(spec.width)}, 'base', {_jax_parameters(spec)})",
            *LOAD_ARRAYS.format(load=load).splitlines(),
        ]
    module, call = _construction(library, spec)
    double = ".double()" if spec.layers[0].coef.element_size() == 8 else ""
    load = f"safetensors.torch.load_file({file!r})" if is_safe else f"torch.load({file!r})"
    return [
        f"import torch, {'safetensors.torch, ' if is_safe else ''}{module}",
        f"model = {call}{double}",
        f"model.load_state_dict({load})",
    ]


def _construction(library: str, spec: NetworkSpec) -> tuple[str, str]:
    """The module of a library that computes with torch, and the call that builds a model."""
    width, grid, k, base = list(spec.width), spec.layers[0].grid, spec.layers[0].k, spec.base_name
    if library == "pykan":
        name = repr(base) if base in ("identity", "zero") else _in_torch(base, library)
        base_fun = "" if base == "silu" else f", base_fun={name}"
        return "kan", f"kan.KAN(width={width}, grid={grid}, k={k}{base_fun}, auto_save=False)"
    if library == "pykan_0_0_5":
        base_fun = "" if base == "silu" else f", base_fun={_in_torch(base, library)}"
        return "kan", f"kan.KAN(width={width}, grid={grid}, k={k}{base_fun})"
    if library == "efficient_kan":
        activation = "" if base == "silu" else f", base_activation=lambda: {_in_torch(base, library)}"
        return "efficient_kan", f"efficient_kan.KAN({width}, grid_size={grid}, spline_order={k}{activation})"
    if library == "inkan":
        if base != "silu":
            raise ConfigError([f"base_fun={base}: a network of inkan has silu; take another library"])
        grid_range = spec.layers[0].grid_range()
        return "inkan", f"inkan.KANNetwork({width}, grid_size={grid}, grid_range={grid_range})"
    raise ConfigError([f"{library}: allowed: pykan, pykan_0_0_5, efficient_kan, inkan, jaxkan"])


def _in_torch(base: str | None, library: str) -> str:
    if base is None:
        raise ConfigError([f"base_fun: the model's own has no name to write for {library}"])
    if base in ("identity", "zero"):
        return {"identity": "torch.nn.Identity()", "zero": "torch.zeros_like"}[base]
    return f"torch.nn.functional.{base}" if base in IN_FUNCTIONAL else f"torch.{base}"


def _jax_parameters(spec: NetworkSpec) -> str:
    sizes = f"'k': {spec.layers[0].k}, 'G': {spec.layers[0].grid}"
    if spec.base_name == "silu":
        return f"{{{sizes}}}"
    if spec.base_name not in IN_JAX:
        allowed = ", ".join(IN_JAX)
        raise ConfigError([f"base_fun={spec.base_name}: allowed for jaxkan: {allowed}; take another library"])
    return f"{{{sizes}, 'residual': {IN_JAX[spec.base_name]}}}"
