"""Optional package that writes a product skeleton: `python -m good_server new`.

A skeleton is the start of a new product: a copy of this server with the product's own names and example events. The
product itself does not need this package.
"""
