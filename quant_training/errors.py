"""The one exception that quant_training raises for a fault of the input."""


class TrainingError(Exception):
    """Data or settings cannot be used, or training failed; the message is one line with the remedy."""
