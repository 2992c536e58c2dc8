"""Show, don't tell: a user's own two-state thing from a few example windows."""
