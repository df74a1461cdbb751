"""What the compiler may refuse. A case is run all the same; a message that is not here is a failure."""
import re

REFUSALS = ()  # regular expressions of messages, each with the constraint or the missing tiling that it names


def is_refusal(message):
    return any(re.search(pattern, message) for pattern in REFUSALS)
