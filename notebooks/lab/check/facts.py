"""What the code of a project does with sockets, ids and rooms."""


class Facts:
    """Answers of the analysis, which the rules read."""
