"""xtr finds the best intermediate task, data size and hyper-parameters for zero-shot cross-lingual transfer."""

__version__ = "0.1.0"
