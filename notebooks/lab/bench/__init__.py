"""The code of the command `lab bench`.

The command compares the good server with other Socket.IO servers. All servers get the same load.
"""
