"""Lines of a fix that set the verified user.

They are for projects that set no user. `lab.check.fixes` leaves out each line with "// if nothing sets" if the checked
code sets the user.
"""

NODE = (
    "io.use((socket, next) => verify(socket.handshake.auth.token).then( // if nothing sets it yet; verify: yours\n"
    "  (user) => { socket.data.user = user; next(); }, next)); // if nothing sets it; page: io({ auth: { token } })"
)
NEST = "afterInit(server: Server) { server.use(verifyToken); } // if nothing sets client.data.user yet"
