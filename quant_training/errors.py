"""What quant_training raises for a fault of the input."""


class TrainingError(Exception):
    """Data or settings cannot be used, or training failed; the message is one line with the remedy."""


class BudgetError(TrainingError):
    """A budget is smaller than what can be reached."""
