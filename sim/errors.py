"""The one exception that sim raises for a fault of the input, not of the program."""


class SimError(Exception):
    """A simulation cannot be built or run.

    The message is one line that names what, where, why and the remedy, for example
    ``"stream s_axis: expected an array [N, 784], got [10, 783]"``.
    """
