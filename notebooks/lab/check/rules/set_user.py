"""Code lines of a suggested fix that set the verified user.

Only projects that do not set the user yet need these lines. Each line contains "// if nothing sets". `lab.check.fixes`
removes the lines with this text if the checked code sets the user.
"""

NODE = (
    "io.use((socket, next) => verify(socket.handshake.auth.token).then( // if nothing sets it yet; verify: yours\n"
    "  (user) => { socket.data.user = user; next(); }, next)); // if nothing sets it; page: io({ auth: { token } })"
)
NEST = "afterInit(server: Server) { server.use(verifyToken); } // if nothing sets client.data.user yet"
