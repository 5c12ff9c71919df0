"""A static checker that finds the ten mistakes in code.

It reads JavaScript, TypeScript and Python.
"""
