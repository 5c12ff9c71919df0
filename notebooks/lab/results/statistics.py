"""Computes percentiles, and the slope of a line through points."""

from collections.abc import Sequence


def percentile(samples: Sequence[float], q: float) -> float:
    """Return the `q`th percentile of the samples; `q` is 0 to 100.

    The result is interpolated between two samples. Raises `ValueError` if there are no samples.
    """
    if not samples:
        raise ValueError("no samples to take a percentile of")
    ordered = sorted(samples)
    position = (len(ordered) - 1) * q / 100
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Return how much y grows when x grows by 1.

    The result is the slope of the least-squares line through the points. Raises `ValueError` if all x are equal.
    """
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    if not spread:
        raise ValueError("a slope needs two different points")
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread
