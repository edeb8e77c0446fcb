"""The tide as a sum of waves, each raised by a motion of the moon or the sun."""

from dataclasses import dataclass

import numpy as np

# The five strongest waves and their periods in hours; these are real, the harbours are not.
PERIODS_H = {"M2": 12.4206, "S2": 12.0, "N2": 12.6583, "K1": 23.9345, "O1": 25.8193}
FEET_PER_METRE = 3.28084


@dataclass(frozen=True)
class Harbour:
    """The mean water in metres, and the height in metres and delay in hours of each wave."""

    mean_m: float
    heights_m: tuple[float, float, float, float, float]
    delays_h: tuple[float, float, float, float, float]


HARBOURS = {
    "Gullhaven": Harbour(3.1, (1.9, 0.6, 0.4, 0.1, 0.1), (2.1, 3.0, 1.4, 6.0, 2.0)),
    "Port Merrow": Harbour(1.2, (0.5, 0.1, 0.1, 0.4, 0.3), (7.3, 5.1, 6.6, 11.0, 9.5)),
    "Saltness": Harbour(5.6, (3.8, 1.3, 0.7, 0.1, 0.1), (4.8, 6.2, 4.1, 3.0, 8.0)),
    "Wickbay": Harbour(0.6, (0.1, 0.05, 0.02, 0.3, 0.25), (1.0, 2.0, 0.5, 17.0, 14.0)),
}


def height_m(harbour: Harbour, hours: np.ndarray) -> np.ndarray:
    """The height of the water in metres at these hours since 1970."""
    periods, heights, delays = (
        np.array(values)[:, np.newaxis]
        for values in (tuple(PERIODS_H.values()), harbour.heights_m, harbour.delays_h)
    )
    waves = heights * np.cos(2 * np.pi * (hours - delays) / periods)
    return harbour.mean_m + waves.sum(axis=0)


def turns(heights: np.ndarray) -> np.ndarray:
    """The indices at which the water stops rising or falling."""
    direction = np.sign(np.diff(heights))
    return np.flatnonzero(np.diff(direction)) + 1
