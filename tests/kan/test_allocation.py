"""Memory of large tensors: what torch sees of it."""

import copy
import io

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from kancli.kan.allocation import ALIGNMENT, LARGE, empty


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("n_bytes", [0, 8, LARGE - 8, LARGE, 3 * LARGE + 8])
def test_a_tensor_is_as_one_of_torch(dtype, n_bytes):
    shape = (2, n_bytes // dtype.itemsize // 2)
    tensor, own = empty(*shape, dtype=dtype, device="cpu"), torch.empty(*shape, dtype=dtype)
    assert (tensor.shape, tensor.dtype, tensor.stride()) == (own.shape, own.dtype, own.stride())
    assert tensor.data_ptr() % ALIGNMENT == 0
    assert tensor.untyped_storage().nbytes() == own.untyped_storage().nbytes()
    parameter = torch.nn.Parameter(tensor.fill_(2))
    parameter.square().sum().backward()
    assert parameter.grad is not None
    assert (parameter.grad == 4).all()
    torch.save(tensor, file := io.BytesIO())
    file.seek(0)
    for other in (copy.deepcopy(tensor), torch.load(file, weights_only=True)):
        assert torch.equal(other, tensor)


def test_tensors_elsewhere_are_left_to_torch():
    assert empty(LARGE, dtype=torch.float32, device="meta").is_meta
    with FakeTensorMode():
        assert isinstance(empty(LARGE, dtype=torch.float32, device="cpu"), FakeTensor)
