"""The room for official metrics: pure functions on plain values, scores between 0 and 1."""
