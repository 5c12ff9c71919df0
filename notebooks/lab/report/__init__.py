"""Reports of a comparison of the bad and the good server.

The forms of a report are terminal tables, JSON, an HTML page, and a table in README.md.
"""
