"""Stores: arrays that are not in memory, and how rows are read from them.

h5py, zarr, xarray and dask read a slice of consecutive rows fast. Scattered rows take h5py a
millisecond each, and many small requests decompress, or compute, one chunk again and again. So a
store is read in slices only, and the required rows are selected in NumPy.
"""

import mmap
import sys
import threading
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from sklearn_lstmae._sklearn import take_rows as _take_rows

# Small requests are served from slabs of consecutive rows of about this size as float32 ...
SLAB_BYTES = 2**20
# ... or, where chunks are larger, of one chunk of at most this size, since most stores read a chunk
# as a whole. dask's default chunks have 128 MiB.
CHUNK_BYTES = 2**27
# Libraries whose arrays do not take rows in any order.
SLICED = ("h5py", "zarr")
# The latest slabs are kept up to this size, but one at least.
CACHE_BYTES = 2**24


class Store:
    """An array outside of memory with two or three axes, read as (N, T, F).

    Parameters
    ----------
    array : h5py.Dataset, zarr.Array, xarray.DataArray, dask.array.Array or alike
        What has a ``shape`` and reads slices of its first axis, of shape (N, T) or (N, T, F).

    name : str, default="X"
        What messages call it.

    Attributes
    ----------
    shape : tuple of int
        (N, T, F); F is 1 where the array has two axes.

    dtype : dtype
        Type of what is read.
    """

    def __init__(self, array: Any, name: str = "X") -> None:
        if any(size != size for size in array.shape):  # NaN
            raise ValueError(
                f"{name} has the shape {tuple(array.shape)}, since the sizes of its chunks are not "
                f"known: call {name}.compute_chunk_sizes() first."
            )
        n_rows, n_timesteps, *features = map(int, array.shape)
        self.shape = (n_rows, n_timesteps, *(features or [1]))
        self._array = array
        self.dtype = np.asarray(array[:1]).dtype
        row_values = max(1, self.shape[1] * self.shape[2])
        self._slab_rows = max(1, SLAB_BYTES // (4 * row_values))
        chunk_rows = _chunk_rows(array)
        if chunk_rows * row_values * self.dtype.itemsize <= CHUNK_BYTES:
            self._slab_rows = -(-self._slab_rows // chunk_rows) * chunk_rows
        slab_bytes = self._slab_rows * row_values * self.dtype.itemsize
        # Reading may call methods of fitted estimators, which may read another store.
        self._reading = threading.Lock()
        self._slab = lru_cache(max(1, CACHE_BYTES // slab_bytes))(self._read_slab)

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.read(slice(None)), dtype=dtype)

    def read(self, rows: slice | np.ndarray) -> np.ndarray:
        """Rows in any order: (n, T, F), which may be a view of what others read: do not change it.

        Long stretches of rows that follow each other, with few gaps, are read as they are; others
        come from slabs.
        """
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self)))
        wanted, places = np.unique(rows, return_inverse=True)
        if not wanted.size:
            return np.empty((0, *self.shape[1:]), self.dtype)
        blocks = []
        far = max(1, self._slab_rows // 2)
        for part in np.split(wanted, np.flatnonzero(np.diff(wanted) > far) + 1):
            first, last = int(part[0]), int(part[-1])
            if far <= last - first + 1 <= 2 * len(part):
                with self._reading:
                    block = self._read(first, last + 1)
                blocks.append(block if len(block) == len(part) else block[part - first])
            else:
                blocks += self._from_slabs(part)
        block = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        return block if np.array_equal(wanted, rows) else block[places]

    def _from_slabs(self, rows: np.ndarray) -> list[np.ndarray]:
        """Increasing rows, those of each slab: list of (n, T, F)."""
        blocks = []
        numbers = rows // self._slab_rows
        for part in np.split(rows, np.flatnonzero(np.diff(numbers)) + 1):
            number = int(part[0]) // self._slab_rows
            with self._reading:
                slab = self._slab(number)
            part = part - number * self._slab_rows
            is_stretch = part[-1] - part[0] == len(part) - 1
            blocks.append(slab[part[0] : part[-1] + 1] if is_stretch else slab[part])
        return blocks

    def _read_slab(self, number: int) -> np.ndarray:
        first = number * self._slab_rows
        return self._read(first, min(first + self._slab_rows, len(self)))

    def _read(self, start: int, stop: int) -> np.ndarray:
        """Consecutive rows, of which there are some: (n, T, F)."""
        return np.asarray(self._array[start:stop]).reshape(-1, *self.shape[1:])


def read_rows(source: Any, rows: slice | np.ndarray, dtype: DTypeLike) -> np.ndarray:
    """Rows of an array or a `Store` as (N, T, F), padding included; too large becomes infinite."""
    if isinstance(source, Store):
        block = source.read(rows)
    else:
        release_pages([source])
        block = source[rows]
    with np.errstate(all="ignore"):
        return np.asarray(block, dtype=dtype, order="C")


def take_rows(X: Any, rows: np.ndarray) -> Any:
    """Rows of a container in any order, in its layout; those of a store are read into memory."""
    if hasattr(X, "to_dask_array"):  # a DataFrame of dask has no rows to take
        X = X.compute()
    if type(X).__module__.split(".")[0] in SLICED:
        return Store(X).read(rows).reshape(-1, *X.shape[1:])
    return _take_rows(X, rows)


def release_pages(arrays: Iterable[Any]) -> None:
    """Let go of what was read of memory maps before; else all of it would stay resident.

    Nothing is lost: Linux keeps the pages of a shared mapping, changed ones too, in its cache.
    A copy-on-write map (mode "c") is not shared.
    """
    if sys.platform != "linux":
        return
    maps = {}
    for array in arrays:
        is_shared = False
        while array is not None and not isinstance(array, mmap.mmap):
            is_shared = isinstance(array, np.memmap) and array.mode != "c"
            array = getattr(array, "base", None)  # below windows is an object that is no array
        if is_shared and array is not None:
            maps[id(array)] = array
    for each in maps.values():
        each.madvise(mmap.MADV_DONTNEED)


def _chunk_rows(array: Any) -> int:
    """Rows of a chunk of a store, 1 if it has none."""
    chunks = getattr(array, "chunks", None)
    if not chunks:
        return 1
    return max(1, int(np.max(chunks[0])))  # of dask and xarray each chunk has its own size
