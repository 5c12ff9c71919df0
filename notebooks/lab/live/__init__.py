"""Live page: a web page that shows the good and bad server.

The user of the page triggers an action, such as closing a browser tab. The action then happens on both servers.
"""
