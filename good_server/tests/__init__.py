"""The template's own tests.

`core/` tests the server and `demo/` the dispatch platform. Each other folder belongs to the optional part of the same
name and is deleted together with it.
"""
