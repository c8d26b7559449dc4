"""What a command can't go on from, said for the person who ran it."""


class Failure(Exception):
    """The message is one clear line, or a list of faults: what is wrong and what to do about it."""
