"""One module a claim; each knows a URL, a namespace and a token maker, nothing of a server's inside."""
