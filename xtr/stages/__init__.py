"""The room for stages: what they are named by, which exist, who computes them, and what a plan asks for."""
