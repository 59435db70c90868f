"""The room for sweeps: Optuna proposes, Ray Tune runs, the stage store computes nothing twice."""
