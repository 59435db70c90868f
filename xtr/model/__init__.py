"""The room for models: pretrained encoders, heads on top of them, and their files."""
