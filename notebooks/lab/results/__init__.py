"""Claims about the bad and the good server, measured runs, and verdicts.

A claim is a statement about both servers. A run is one measurement of one server. A verdict says whether the runs
confirm a claim.
"""
