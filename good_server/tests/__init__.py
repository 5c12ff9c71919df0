"""Tests of the server template, copied together with it.

`core/` tests the server and `demo/` the example product, a dispatch platform. Each other folder tests the optional part
of the same name and is deleted together with that part.
"""
