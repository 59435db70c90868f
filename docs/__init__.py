"""The room for what is read; `generate` writes the parts that are derived from the code."""
