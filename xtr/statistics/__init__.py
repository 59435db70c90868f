"""What may be concluded from scores: intervals, tests, laws of scale. Pure functions of numbers."""
