"""Arrays whose axes have names."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

import numpy as np


class Array:
    """A numpy array, the names of its axes, and what stands along them.

    ``values`` is the array, ``axes`` one name an axis, ``labels`` the labels of those axes that have any, such as the
    tokens of a prompt; ``about`` says what the numbers are (unit, convention, reconstruction error). NumPy takes it as it is.
    """

    def __init__(
        self,
        values: Any,
        axes: Sequence[str],
        labels: Optional[Mapping[str, Sequence[Any]]] = None,
        about: Optional[Mapping[str, Any]] = None,
    ) -> None:
        self.values: "np.ndarray[Any, Any]" = np.asarray(values)
        self.axes: Tuple[str, ...] = tuple(axes)
        self.labels: Dict[str, Tuple[Any, ...]] = {axis: tuple(of) for axis, of in (labels or {}).items()}
        self.about: Dict[str, Any] = dict(about or {})
        if self.values.ndim != len(self.axes):
            raise ValueError(f"{self.values.ndim} axes have {len(self.axes)} names: {', '.join(self.axes)}.")
        for axis, of in self.labels.items():
            size = self.values.shape[self.axes.index(axis)]
            if len(of) != size:
                raise ValueError(f"The axis {axis} has {size} places and {len(of)} labels.")

    @property
    def shape(self) -> Tuple[int, ...]:
        return tuple(self.values.shape)

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> "np.ndarray[Any, Any]":
        values = self.values if dtype is None else self.values.astype(dtype)
        return values.copy() if copy else values

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{axis}: {size}" for axis, size in zip(self.axes, self.shape))
        return f"<statescope.Array ({sizes}) {self.values.dtype}>"

    def to_pandas(self) -> Any:
        """A Series for one axis, a DataFrame for two, a Series over all axes for more. Tokens occur more than once, so each
        label of a position stands behind its number: ``3 Mary``."""
        import pandas as pd  # type: ignore[import-untyped,unused-ignore]

        def index(axis: str) -> Any:
            of = self.labels.get(axis, range(self.shape[self.axes.index(axis)]))
            shown = [f"{k} {label}" for k, label in enumerate(of)] if len(set(of)) < len(of) else list(of)
            return pd.Index(shown, name=axis)

        indices = [index(axis) for axis in self.axes]
        if self.values.ndim == 1:
            return pd.Series(self.values, index=indices[0])
        if self.values.ndim == 2:
            return pd.DataFrame(self.values, index=indices[0], columns=indices[1])
        return pd.Series(self.values.reshape(-1), index=pd.MultiIndex.from_product(indices))
