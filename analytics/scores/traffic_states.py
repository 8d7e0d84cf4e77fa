"""The state of a counter, by Bayes' rule from row to row.

A series is in one of the states below. From one hour to the next it changes from normal
to a fault with a small probability and recovers with another; each state has its own
distribution of counts. Both determine the probability of each state, given all counts
so far (forward filter of a hidden Markov model):

=========  =======================================================================
state      a count is then
=========  =======================================================================
normal     negative binomial around what is expected, with the recent deviation
           of the series; sometimes (8 %) with three times the spread²
spike      anything (log-uniform)
drop-out   zero, or next to nothing
stuck      the same as the one before
incident   the expected times 0.1 to 3.5, lasting 2.5 hours on average
shift      the expected times 0.3 to 2.2, lasting four days on average
=========  =======================================================================

The score is the logarithm (base 10) of the odds of all faults against normal. It stays
high as long as a fault lasts: its end is inferred from the counts.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from analytics.detectors.counts import arrangements, choice, log_gamma

Floats = npt.NDArray[np.float64]

INCIDENT_FACTORS: Final = np.array([0.1, 0.2, 0.35, 0.5, 0.65, 1.45, 1.8, 2.5, 3.5])
SHIFT_FACTORS: Final = np.array([0.3, 0.42, 0.55, 0.68, 0.8, 1.25, 1.45, 1.75, 2.2])
KINDS: Final = ("spike", "drop-out", "stuck", "incident", "level-shift")
#: For each state: its kind, and the hourly probabilities to enter it and to recover.
KIND_OF: Final = np.repeat(
    np.arange(5), [1, 1, 1, len(INCIDENT_FACTORS), len(SHIFT_FACTORS)]
)
FIRST_OF_KIND: Final = np.flatnonzero(np.diff(KIND_OF, prepend=-1))
ENTER_PROBABILITY: Final = np.array([3e-3, 2e-4, 2e-4, 1.5e-3, 7e-5])
RECOVERY_PROBABILITY: Final = np.array([1.0, 1 / 8, 1 / 16, 1 / 2.5, 1 / 100])
#: Share of hours with a much greater spread, and the factor of its square.
OUTLIER_SHARE: Final = 0.08
OUTLIER_SPREAD: Final = 3.0
#: Share of the spread² that persists in the next hours, and its hourly persistence.
PERSISTENT_SHARE: Final = 0.5
PERSISTENCE: Final = 0.85
#: Range of a spike: from a count to e to this power of it.
SPIKE_RANGE: Final = 3.0
MIN_PROBABILITY: Final = 1e-12

_ENTER_BY_STATE: Final = (ENTER_PROBABILITY / np.bincount(KIND_OF))[KIND_OF][:, None]
_RECOVERY_BY_STATE: Final = RECOVERY_PROBABILITY[KIND_OF][:, None]


@dataclass(frozen=True, slots=True)
class Expected:
    """Expected counts; series by time."""

    counts: Floats
    volume: Floats
    spread: Floats
    #: similar days in the usual volume
    days: Floats
    #: which counts are judged at all
    judged: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Log-probabilities independent of the recent deviation; series by time.

    All omit the factor 1/count!, which is the same for all states.
    """

    wild: Floats
    spike: Floats
    drop_out: Floats
    stuck: Floats
    shift: Floats
    own_spread: Floats


def likelihood(expected: Expected) -> Likelihood:
    """Weigh counts in the states that do not depend on the hour before."""
    count, mean, spread = expected.counts, expected.volume, expected.spread
    count = np.where(expected.judged, count, 0.0)
    days = np.maximum(expected.days, 0.05)
    known = (1 - PERSISTENT_SHARE) * spread + (spread + 1 / (mean + 0.5)) / days
    whole = known + PERSISTENT_SHARE * spread
    few = choice(count, 0.07 * mean + 0.1, np.ones_like(mean))
    factorial = log_gamma(count + 1)
    return Likelihood(
        wild=arrangements(count, OUTLIER_SPREAD * whole)
        + choice(count, mean, 1 / (OUTLIER_SPREAD * whole)),
        spike=factorial - np.log((count + 1 + 0.1 * mean) * SPIKE_RANGE),
        drop_out=np.where(count == 0, np.log(0.9), np.log(0.1) + few + factorial),
        stuck=factorial + np.log(0.97),
        shift=arrangements(count, whole)
        + choice(count, SHIFT_FACTORS[:, None, None] * mean + 0.1, 1 / whole),
        own_spread=known,
    )


class Filter:
    """The probabilities of the states of a changing set of series."""

    def __init__(self) -> None:
        #: state by series, and normal
        self.faults = np.zeros((len(KIND_OF), 0))
        self.normal = np.zeros(0)
        #: recent deviation: logarithm, and its variance
        self._off = np.zeros(0)
        self._off_variance = np.zeros(0)
        self._last = np.zeros(0)

    def grow(self, series: int) -> None:
        """Add further series in the normal state."""
        new = series - len(self.normal)
        self.faults = np.pad(self.faults, ((0, 0), (0, new)))
        self.normal = np.pad(self.normal, (0, new), constant_values=1.0)
        self._off = np.pad(self._off, (0, new))
        self._off_variance = np.pad(self._off_variance, (0, new))
        self._last = np.pad(self._last, (0, new), constant_values=np.nan)

    def recover(self, series: npt.NDArray[np.bool_]) -> None:
        """Reset series to normal."""
        self.faults[:, series] = 0
        self.normal[series] = 1
        self._off[series] = 0

    def step(
        self, expected: Expected, weighed: Likelihood, time: int, *, hours: float
    ) -> Floats:
        """Advance by `hours` to the counts of a time; return scores by series."""
        count = expected.counts[:, time]
        judged = expected.judged[:, time]
        mean, spread = expected.volume[:, time], expected.spread[:, time]
        carry = PERSISTENCE**hours
        self._off = carry * self._off
        fresh = (1 - carry**2) * PERSISTENT_SHARE * spread
        self._off_variance = carry**2 * self._off_variance + fresh
        own = weighed.own_spread[:, time]
        counts = np.where(judged, count, 0.0)
        near = own + self._off_variance
        here = mean * np.exp(self._off)
        ways = arrangements(counts, near)
        normal = np.logaddexp(
            np.log(1 - OUTLIER_SHARE) + ways + choice(counts, here, 1 / near),
            np.log(OUTLIER_SHARE) + weighed.wild[:, time],
        )
        same = count == self._last
        faults = np.concatenate(
            [
                weighed.spike[None, :, time],
                weighed.drop_out[None, :, time],
                np.where(same, weighed.stuck[:, time], np.log(1e-4) + normal)[None],
                ways + choice(counts, INCIDENT_FACTORS[:, None] * here + 0.1, 1 / near),
                weighed.shift[:, :, time],
            ]
        )
        self._move(hours)
        self._weigh(normal, faults, judged)
        self._follow(
            np.log((counts + 0.5) / (mean + 0.5)), own + 1 / (mean + 0.5), judged
        )
        self._last = np.where(np.isfinite(count), count, self._last)
        odds = np.maximum(self.faults.sum(axis=0), MIN_PROBABILITY) / self.normal
        return np.asarray(np.log10(odds))

    def _move(self, hours: float) -> None:
        fall = -np.expm1(hours * np.log1p(-_ENTER_BY_STATE))
        recover = 1 - (1 - _RECOVERY_BY_STATE) ** hours
        recovered = recover * self.faults
        self.faults = self.faults - recovered + fall * self.normal
        self.normal = self.normal * (1 - fall.sum()) + recovered.sum(axis=0)

    def _weigh(
        self, normal: Floats, faults: Floats, judged: npt.NDArray[np.bool_]
    ) -> None:
        most = np.maximum(normal, faults.max(axis=0))
        self.normal = self.normal * np.where(judged, np.exp(normal - most), 1.0)
        self.faults = self.faults * np.where(judged, np.exp(faults - most), 1.0)
        total = np.maximum(self.normal + self.faults.sum(axis=0), 1e-300)
        self.faults = self.faults / total
        self.normal = np.maximum(self.normal / total, MIN_PROBABILITY)

    def _follow(
        self, off: Floats, noise: Floats, judged: npt.NDArray[np.bool_]
    ) -> None:
        """Update the deviation, weighted by the probability of normal (Kalman)."""
        gain = self._off_variance / (self._off_variance + noise)
        gain = np.where(judged, self.normal * gain, 0.0)
        self._off = self._off + gain * np.clip(off - self._off, -0.7, 0.7)
        self._off_variance = self._off_variance * (1 - gain)
