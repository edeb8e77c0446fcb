"""A made-up recording: 1000 seconds of vibration, 1000 samples a second, with ten knocks in it.

The server imports this module once, so that all sessions share its arrays.
"""

import numpy as np

SAMPLES = 1_000_000
SAMPLES_PER_SECOND = 1000
KNOCKS = 10


def record() -> tuple[np.ndarray, np.ndarray]:
    """The times in seconds and the amplitudes, both ``float32``: half the bytes of ``float64``."""
    rng = np.random.default_rng(7)
    time = np.arange(SAMPLES) / SAMPLES_PER_SECOND
    hum = np.sin(2 * np.pi * 5 * time) * (1 + 0.6 * np.sin(2 * np.pi * time / 400))
    amplitude = hum + rng.normal(0, 0.3, SAMPLES)
    for knock in rng.uniform(10, 990, KNOCKS):
        since = time - knock
        ringing = (since > 0) & (since < 2)
        amplitude[ringing] += 6 * np.exp(-4 * since[ringing]) * np.sin(2 * np.pi * 40 * since[ringing])
    return time.astype(np.float32), amplitude.astype(np.float32)


TIME, AMPLITUDE = record()
