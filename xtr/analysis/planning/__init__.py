"""A sweep counted and priced before it runs: its stages, tokens, hours and money."""
