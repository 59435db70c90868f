"""The room for evaluation: predictions of a model, on one language or in a stream over many."""
