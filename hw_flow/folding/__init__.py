"""folding package."""
