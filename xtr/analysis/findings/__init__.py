"""Declared contrasts, from the scores they weigh to their intervals and verdicts."""
