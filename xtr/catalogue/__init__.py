"""The room for facts: tasks, languages and benchmarks as data."""
