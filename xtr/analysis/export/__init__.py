"""An answer as files that others take: a config that reruns, a model, its card."""
