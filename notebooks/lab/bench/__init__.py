"""The program behind `lab bench`: it compares the good server with others.

All of them get the same load.
"""
