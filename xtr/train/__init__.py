"""The room for training: plain PyTorch, given rank, world and reporter; Ray Train has one file of its own."""
