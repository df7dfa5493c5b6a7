"""The one exception that hw_flow raises for a fault of the input, not of the program."""


class FlowError(Exception):
    """A user's input cannot be processed.

    The message is one line that names what, where, why and the remedy, for example
    ``"MatMul_3: weights are not quantised (found 1,024 distinct non-integer values); export the
    layer with a weight quantiser"``. The command line prints it and exits with code 2.
    """
