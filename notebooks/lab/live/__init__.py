"""Live page: shows the good and the bad server side by side.

The reader triggers each action by hand, and the page does it on both servers.
"""
