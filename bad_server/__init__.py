"""Ten common Socket.IO mistakes, one module each. One server runs them all."""
