"""xtr finds the best intermediate task, data size and hyper-parameters for zero-shot cross-lingual transfer."""

import os

# A core that waits for its share of a sum must not spin for long: on a busy machine that costs several times it.
# Not to spin at all makes small sums wait for the scheduler instead: half as slow again on idle cores.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

__version__ = "0.1.0"
