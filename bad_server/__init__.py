"""Ten common Socket.IO mistakes, each in its own module. One server runs all of them."""
