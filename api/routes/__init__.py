"""Routes: each parses, calls one function, and renders."""
