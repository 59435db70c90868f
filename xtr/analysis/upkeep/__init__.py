"""The store looked after: what lies there and why, what is broken, what nobody needs."""
