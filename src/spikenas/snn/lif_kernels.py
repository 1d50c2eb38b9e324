"""Compute multi-step LIF on the CPU by Numba kernels over all timesteps, run by a pool of threads.

Arrays are [rows, N], one row a timestep, C-contiguous; bfloat16 is passed as uint16 and computed in float32. The work
is bound by memory: every array is read or written once, in blocks of columns that are short enough for the
processor to prefetch the rows of all timesteps side by side. The kernels release the GIL and share nothing, and the
columns are independent: any thread, a forked or a spawned process may call them, and the number of threads changes
nothing in the results. Python's threads sleep between calls, and Numba starts none of its own.
"""

from __future__ import annotations

import contextlib
import math
import os
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numba
import numpy as np
import torch
from numba import types
from numba.extending import overload
from numpy.typing import NDArray
from torch import Tensor

_BLOCK = 256
_BLOCKS = 64  # their potentials stay in the second-level cache between the two halves of the backward pass
_VALUES_WORTH_A_TASK = 1 << 18
_TASKS_PER_THREAD = 4
_ALIGNMENT_BYTES = 64
_LARGE_BYTES = 1 << 17
_IDLE_BYTES = 1 << 29

Kernel = Callable[..., None]


def lif_forward(x: NDArray[Any], spikes: NDArray[Any], threads: int, *neuron: float) -> None:
    """Fill `spikes` from input currents.

    Args:
        x: Input currents, [T, N], or [1, N] for the same current at every timestep.
        spikes: Output, 0 or 1, [T, N], of x's dtype.
        threads: Most threads that work at the same time.
        neuron: Parameters of the neuron: tau in timesteps, v_threshold, v_reset.
    """
    _run(_forward, threads, (x, spikes), neuron)


def lif_backward(
    x: NDArray[Any], grad_x: NDArray[Any], grad_spikes: NDArray[Any], threads: int, *neuron: float
) -> None:
    """Fill `grad_x` from the gradient of the spikes; the potentials are computed anew from `x`.

    Args:
        x: Input currents, [T, N] or [1, N].
        grad_x: Output, of x's shape and dtype; with [1, N] the sum over timesteps.
        grad_spikes: Gradient with respect to the spikes, [T, N], of x's dtype.
        threads: Most threads that work at the same time.
        neuron: Parameters of the neuron: tau in timesteps, v_threshold, v_reset, alpha of the ATan surrogate.
    """
    *charging, alpha = neuron
    surrogate = 2 / alpha, math.pi**2 / 2 * alpha
    _run(_backward, threads, (x, grad_x, grad_spikes), (*charging, *surrogate))


class Memory:
    """A memory makes uninitialised tensors in huge pages, from the memory of dead ones.

    In a fresh large tensor the page faults cost more than a kernel: PyTorch asks for no huge pages, NumPy does, and
    the system takes the memory of a large array back at once.

    Args:
        idle_bytes: Most bytes of dead memory that are kept; what has been idle longest goes first.
    """

    def __init__(self, idle_bytes: int) -> None:
        self._limit_bytes = idle_bytes
        self._idle: dict[int, NDArray[np.uint8]] = {}

    def empty(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Make a contiguous CPU tensor that begins on a cache line's boundary; its memory is reused when it is dead."""
        size_bytes = math.prod(shape) * dtype.itemsize
        buffer = self._take(size_bytes + _ALIGNMENT_BYTES)
        offset = -buffer.ctypes.data % _ALIGNMENT_BYTES
        owned = buffer[offset : offset + size_bytes]  # lives as long as the tensor's storage
        if size_bytes >= _LARGE_BYTES:
            weakref.finalize(owned, self._keep, buffer).atexit = False
        return torch.from_numpy(owned).view(dtype).view(shape)

    def _take(self, size_bytes: int) -> NDArray[np.uint8]:
        for key in reversed(list(self._idle)):
            buffer = self._idle.get(key)
            if buffer is not None and buffer.nbytes == size_bytes and self._idle.pop(key, None) is not None:
                return buffer
        return np.empty(size_bytes, np.uint8)

    def _keep(self, buffer: NDArray[np.uint8]) -> None:
        # Runs whenever a tensor dies, in any thread, even inside _take: single dictionary operations alone.
        self._idle[id(buffer)] = buffer
        idle_bytes = 0
        for key in reversed(list(self._idle)):
            idle = self._idle.get(key)
            idle_bytes += 0 if idle is None else idle.nbytes
            if idle_bytes > self._limit_bytes:
                self._idle.pop(key, None)


empty = Memory(_IDLE_BYTES).empty


def _run(kernel: Kernel, threads: int, arrays: tuple[NDArray[Any], ...], neuron: tuple[float, ...]) -> None:
    timesteps, columns = arrays[-1].shape
    real = np.float64 if arrays[0].dtype == np.float64 else np.float32
    constants = [real(value) for value in neuron]
    tasks = min(threads * _TASKS_PER_THREAD, timesteps * columns // _VALUES_WORTH_A_TASK)
    if threads == 1 or tasks < 2:
        kernel(*arrays, 0, columns, *constants)
        return
    step = -(-columns // tasks // _BLOCK) * _BLOCK
    starts = iter(range(0, columns, step))

    def work() -> None:
        for start in starts:
            kernel(*arrays, start, min(start + step, columns), *constants)

    helpers = [_pool(os.getpid(), threads).submit(work) for _ in range(threads - 1)]
    work()
    for helper in helpers:
        if not helper.cancel():  # one that has not begun would find nothing left to do
            helper.result()


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Return the pool of a process; each has its own, since a forked one does not inherit the threads."""
    return ThreadPoolExecutor(threads - 1, thread_name_prefix=f"spikenas-lif-{process}")


def _jit(function: Kernel) -> Kernel:
    kernel = numba.njit(nogil=True, error_model="numpy")(function)
    with contextlib.suppress(RuntimeError):  # no folder for the cache is writable: compile in each process
        kernel.enable_caching()
    compiled: Kernel = kernel
    return compiled


def _load(value: Any) -> Any:
    """Return a stored value as the float that is computed with."""
    raise NotImplementedError


def _store(value: Any, like: Any) -> Any:
    """Return a computed float as it is stored in the array that `like` is from."""
    raise NotImplementedError


def _load_for(value: Any) -> Callable[..., Any]:
    def from_bfloat16(value: Any) -> Any:
        return np.uint32(np.uint32(value) << np.uint32(16)).view(np.float32)

    def unchanged(value: Any) -> Any:
        return value

    return from_bfloat16 if value == types.uint16 else unchanged


def _store_for(value: Any, like: Any) -> Callable[..., Any]:
    def to_bfloat16(value: Any, like: Any) -> Any:
        bits = np.float32(value).view(np.uint32)
        odd = np.uint32(np.uint32(bits >> np.uint32(16)) & np.uint32(1))
        to_nearest_even = np.uint32(np.uint32(bits + np.uint32(0x7FFF)) + odd)
        return np.uint16(0x7FC0) if value != value else np.uint16(to_nearest_even >> np.uint32(16))

    def unchanged(value: Any, like: Any) -> Any:
        return value

    return to_bfloat16 if like == types.uint16 else unchanged


overload(_load)(_load_for)
overload(_store)(_store_for)


@_jit
def _forward(x: Any, spikes: Any, start: int, stop: int, tau: Any, v_threshold: Any, v_reset: Any) -> None:
    v = np.full(_BLOCK, v_reset)
    for left in range(start, stop, _BLOCK):
        right = min(left + _BLOCK, stop)
        v[:] = v_reset
        for t in range(len(spikes)):
            current = x[min(t, len(x) - 1), left:right]
            out = spikes[t, left:right]
            for i in range(right - left):
                h = v[i] + (_load(current[i]) - (v[i] - v_reset)) / tau
                fires = h >= v_threshold
                v[i] = v_reset if fires else h
                out[i] = _store(1.0 if fires else 0.0, out[i])


@_jit
def _backward(
    x: Any,
    grad_x: Any,
    grad_spikes: Any,
    start: int,
    stop: int,
    tau: Any,
    v_threshold: Any,
    v_reset: Any,
    width: Any,
    sharpness: Any,
) -> None:
    blocks = min(_BLOCKS, -(-(stop - start) // _BLOCK))
    charged = np.empty((blocks, len(grad_spikes), _BLOCK), type(tau))
    v = np.empty(_BLOCK, type(tau))
    grad_v = np.empty_like(v)
    grad_current = np.empty_like(v)
    total = np.empty_like(v)
    for group in range(start, stop, _BLOCKS * _BLOCK):
        group_stop = min(group + _BLOCKS * _BLOCK, stop)
        for left in range(group, group_stop, _BLOCK):
            right = min(left + _BLOCK, group_stop)
            v[:] = v_reset
            for t in range(len(grad_spikes)):
                current = x[min(t, len(x) - 1), left:right]
                h = charged[(left - group) // _BLOCK, t]
                for i in range(right - left):
                    h[i] = v[i] + (_load(current[i]) - (v[i] - v_reset)) / tau
                    v[i] = v_reset if h[i] >= v_threshold else h[i]
        for left in range(group, group_stop, _BLOCK):
            right = min(left + _BLOCK, group_stop)
            grad_v[:] = 0
            total[:] = 0
            for t in range(len(grad_spikes) - 1, -1, -1):
                h = charged[(left - group) // _BLOCK, t]
                grad = grad_spikes[t, left:right]
                if len(x) == len(grad_spikes):
                    out = grad_x[t, left:right]
                    _backward_step(h, grad, grad_v, out, tau, v_threshold, width, sharpness)
                else:
                    _backward_step(h, grad, grad_v, grad_current, tau, v_threshold, width, sharpness)
                    total += grad_current
            if len(x) != len(grad_spikes):
                out = grad_x[0, left:right]
                for i in range(right - left):
                    out[i] = _store(total[i], out[i])


@_jit
def _backward_step(
    h: Any, grad: Any, grad_v: Any, grad_current: Any, tau: Any, v_threshold: Any, width: Any, sharpness: Any
) -> None:
    for i in range(len(grad)):
        above = h[i] - v_threshold
        grad_h = _load(grad[i]) / (width + sharpness * (above * above))
        if not above >= 0:
            grad_h += grad_v[i]
        charge = grad_h / tau
        grad_v[i] = grad_h - charge
        grad_current[i] = _store(charge, grad_current[i])
