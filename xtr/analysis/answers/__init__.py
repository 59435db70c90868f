"""What the rows say: the leaderboard, comparisons, groups of languages, agreement and forgetting."""
