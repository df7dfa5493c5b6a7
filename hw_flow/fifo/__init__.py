"""fifo package."""
