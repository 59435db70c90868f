"""The room for answers: trials as rows, winners, the leaderboard, exported configs."""
