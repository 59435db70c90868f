"""The room for evaluation: predictions of a model on one split of one language at a time."""
