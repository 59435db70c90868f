"""The room for figures: what is fast, how much is reused, what the demo world gives back."""
