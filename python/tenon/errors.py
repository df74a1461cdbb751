"""The exceptions of this package. All derive from `Error`; most also from the built-in that fits."""


class Error(Exception):
    """What the compiler or a model refuses; the message names the model's node or argument."""


class InvalidArgument(Error, ValueError):
    """A wrong argument, shape, dtype or option, or a malformed model."""


class OutOfMemory(Error, MemoryError):
    """Out of memory, or a size that overflows."""


class DataError(Error, ArithmeticError):
    """A value in the inputs that the model refuses: an index out of range, an integer division by zero."""


class FileError(Error, OSError):
    """A file that cannot be read, written or trusted."""


class Unsupported(Error, NotImplementedError):
    """Something that Tenon does not do; the message names it."""


class InternalError(Error, RuntimeError):
    """A mistake of Tenon's own."""


# By the status codes of tenon-c/runtime.h; the extension module looks here.
BY_STATUS = {1: InvalidArgument, 2: OutOfMemory, 3: DataError, 4: FileError, 5: Unsupported, 6: InternalError}
