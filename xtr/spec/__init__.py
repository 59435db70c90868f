"""The room for what a user writes: the sweep file, its search space and its errors."""
