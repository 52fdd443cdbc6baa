"""A GPU that is none: tensors that say they lie on `cuda:0`, hold numbers on the CPU, and refuse what CUDA refuses.

What PyTorch's fake tensors cannot do, which have no numbers: a whole answer is computed, and every copy between the
devices is counted. Tensors of the two devices do not meet in an operation (scalars and indices apart), and only what
was copied becomes an array.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

DEVICE = torch.device("cuda", 0)
COPIES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
INDEXED = ("index.Tensor", "index_put_.default", "index_put.default", "_index_put_impl_.default")


class OnGpu(torch.Tensor):
    """Numbers on the CPU that say they lie on the GPU."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> OnGpu:
        self = torch.Tensor._make_wrapper_subclass(
            cls, held.size(), strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype,
            device=DEVICE, requires_grad=False,
        )  # fmt: skip
        self.held = held.detach()
        return self

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError(f"{func} ran without the Gpu that its tensors belong to")

    def __repr__(self, **options: Any) -> str:
        return f"OnGpu({self.held!r})"


class Gpu(TorchDispatchMode):
    """Within it there is a GPU; `copies` counts elements that were copied, by "to" and "from"."""

    _mode_key = torch._C._TorchDispatchModeKey.FAKE
    """In place of FakeTensorMode, beside which PyTorch wakes no CUDA driver."""

    def __init__(self) -> None:
        torch._C._ensureCUDADeviceGuardSet()
        super().__init__()
        self.copies: Counter[str] = Counter()

    def __enter__(self) -> Gpu:
        self._lifted = torch._C._only_lift_cpu_tensors()
        torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor(..., device="cuda") makes it on the CPU and copies
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        torch._C._set_only_lift_cpu_tensors(self._lifted)
        super().__exit__(*error)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd"):
            with self:  # in inference mode operations arrive whole
                return func.decompose(*args, **kwargs)
        tensors = [one for one in tree_flatten((args, kwargs))[0] if isinstance(one, torch.Tensor)]
        here = [one for one in tensors if isinstance(one, OnGpu)]
        away = [one for one in tensors if not isinstance(one, OnGpu) and one.dim()]
        target = kwargs.get("device")
        where = torch.device(target).type if target is not None else None
        result = "cuda" if here else "cpu"
        if func in COPIES:
            result = where or ("cuda" if isinstance(args[0], OnGpu) else "cpu")
            source = args[1] if func is torch.ops.aten.copy_.default else args[0]
            if isinstance(source, torch.Tensor) and isinstance(source, OnGpu) != (result == "cuda"):
                self.copies["to" if result == "cuda" else "from"] += source.numel()
        elif here and away and not any(name in str(func) for name in INDEXED):
            raise RuntimeError(f"Expected all tensors to be on the same device, {func} got cuda:0 and cpu.")
        elif where is not None:
            result = where
        if where is not None:
            kwargs["device"] = torch.device("cpu")
        args, kwargs = tree_map(lambda one: one.held if isinstance(one, OnGpu) else one, (args, kwargs))
        found = func(*args, **kwargs)
        if func is torch.ops.aten._local_scalar_dense.default:
            return found
        if str(func).split(".")[1].endswith("_") and tensors:
            return tensors[0]
        if result == "cpu":
            return found
        # A view is an inference tensor where its base is one.
        with torch.inference_mode(torch.is_inference_mode_enabled() and (not here or here[0].is_inference())):
            return tree_map(lambda one: OnGpu(one) if isinstance(one, torch.Tensor) else one, found)

    def move(self, module: nn.Module) -> nn.Module:
        """`module` with its weights on the GPU."""
        for part in module.modules():
            for name, weight in part._parameters.items():
                if weight is not None:
                    part._parameters[name] = nn.Parameter(OnGpu(weight.data), requires_grad=False)
            for name, buffer in part._buffers.items():
                if buffer is not None:
                    part._buffers[name] = OnGpu(buffer)
        return module
