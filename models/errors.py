"""The one exception that models raises for a fault of the input."""


class ModelError(Exception):
    """A network cannot be described, built or loaded; the message is one line with the remedy."""
