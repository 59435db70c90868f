"""xtr finds the best intermediate task, data size and hyper-parameters for zero-shot cross-lingual transfer."""

import os

# A core that waits for its share of a sum must not spin: on a busy machine that costs several times the sum.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

__version__ = "0.1.0"
