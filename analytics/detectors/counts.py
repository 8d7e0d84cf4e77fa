"""Logarithms of probabilities of counts, over arrays."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def log_gamma(x: Floats) -> Floats:
    """Logarithm of Γ(x) for x > 0, to 1e-8 (Stirling's formula behind Γ(x + 4))."""
    behind = x + 4
    logarithm = (behind - 0.5) * np.log(behind) - behind + 0.9189385332046727
    logarithm += 1 / (12 * behind) - 1 / (360 * behind**3)
    return np.asarray(logarithm - np.log(x * (x + 1) * (x + 2) * (x + 3)))


def arrangements(count: Floats, spread: Floats) -> Floats:
    """Return the part of a negative binomial that does not depend on the mean.

    With `choice` it is the logarithm of the probability of a count, times count!, if
    its variance is mean + spread · mean². With a spread of 0 it would be Poisson's:
    that is the least noise a count has.
    """
    shape = 1 / spread
    return log_gamma(count + shape) - log_gamma(shape)


def choice(count: Floats, mean: Floats, shape: Floats) -> Floats:
    """Return the part that depends on the mean; shape = 1 / spread."""
    whole = np.log(shape + mean)
    return np.asarray(shape * (np.log(shape) - whole) + count * (np.log(mean) - whole))
