"""What the compiler may refuse. A case is run all the same; a message that is not here is a failure."""

REFUSALS = ()  # regular expressions of messages, each with the constraint or the missing tiling that it names
