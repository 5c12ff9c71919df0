"""The code of the command `lab bench`.

It compares the good server with other servers. All servers get the same load.
"""
