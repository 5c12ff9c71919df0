"""Generates large projects that are all about sockets."""

JS_HEAD = """\
{imports}

const people = new Map();
const roomOf = (id) => `thing:${{id}}`;
const describe = (socket, data) => ({{ id: data.id, by: socket.data.user.id }});

async function load(id, user) {{
  const row = await database.query("select * from things where id = $1 and owner = $2", [id, user]);
  return row ?? null;
}}

export async function tell(io, user, text) {{
  io.to(people.get(user)).emit("note", {{ text }});
}}
"""
JS_BLOCK = """\
export {is_async}function register{n}(io, socket{types}) {{
  const seen = new Map();
  socket.join(roomOf(socket.data.user.id));
  people.set(socket.data.user.id, socket.id);

  socket.on("thing{n}:ask", async ({{ id, room, ...rest }}, reply) => {{
    const thing = await load(id, socket.data.user.id);
    if (!thing) return reply({{ error: "forbidden" }});
    seen.set(id, {{ at: Date.now(), rest }});
    for (const other of thing.members ?? []) {{
      if (other.id !== socket.data.user.id) io.to(roomOf(other.id)).emit("thing{n}:asked", describe(socket, rest));
    }}
    io.to(room).emit("thing{n}:asked", {{ id, by: socket.data.user.id }});
    return reply({{ ok: true, count: seen.size }});
  }});

  socket.on("thing{n}:send", (data, reply) => {{
    switch (data.kind) {{
      case "all":
        io.emit("thing{n}:sent", {{ ...describe(socket, data), text: data.text }});
        break;
      default:
        tell(io, data.to, data.text);
    }}
    reply?.({{ ok: true }});
  }});

  socket.on("disconnect", () => {{
    people.delete(socket.data.user.id);
    {other}
  }});
}}
"""
NEST_HEAD = """\
import {{ ConnectedSocket, MessageBody, SubscribeMessage }} from "@nestjs/websockets";
import {{ WebSocketGateway, WebSocketServer }} from "@nestjs/websockets";
import {{ Server, Socket }} from "socket.io";
{imports}

interface Asked {{
  id: string;
  room: string;
}}
"""
NEST_BLOCK = """\
@WebSocketGateway({{ namespace: "thing{n}", cors: {{ origin: ["https://example.org"] }} }})
export class Thing{n}Gateway {{
  @WebSocketServer() private readonly server!: Server;
  private readonly people = new Map<string, string>();

  constructor(private readonly things: ThingsService) {{}}

  async handleConnection(@ConnectedSocket() client: Socket): Promise<void> {{
    await client.join(`user:${{client.data.user.id}}`);
    this.people.set(client.data.user.id, client.id);
  }}

  handleDisconnect(@ConnectedSocket() client: Socket): void {{
    this.people.delete(client.data.user.id);
  }}

  @SubscribeMessage("thing{n}:ask")
  async ask(@ConnectedSocket() client: Socket, @MessageBody() asked: Asked): Promise<{{ ok: boolean }}> {{
    const thing = await this.things.find(asked.id, client.data.user.id);
    if (!thing) {{
      return {{ ok: false }};
    }}
    this.server.to(asked.room).emit("thing{n}:asked", {{ id: thing.id }});
    return {{ ok: true }};
  }}

  @SubscribeMessage("thing{n}:enter")
  async enter(@ConnectedSocket() client: Socket, @MessageBody("room") room: string): Promise<void> {{
    await client.join(room);
    this.server.to(this.people.get(room)!).emit("thing{n}:entered", {{ by: client.data.user.id }});
    {other}
  }}
}}
"""
PYTHON_HEAD = """\
{imports}

people = {{}}


def room_of(thing):
    return f"thing:{{thing}}"


async def tell(sio, user, text):
    if user in people:
        await sio.emit("note", {{"text": text}}, to=people[user])


async def load(database, thing, user):
    values = dict(id=thing, owner=user)
    return await database.fetch_one("select * from things where id = :id and owner = :owner", values)
"""
PYTHON_BLOCK = """\
def register{n}(sio, database):
    seen = {{}}

    @sio.on("thing{n}:ask")
    async def ask(sid, data):
        user = (await sio.get_session(sid))["user"]
        thing = await load(database, data["id"], user.id)
        if thing is None:
            return {{"error": "forbidden"}}
        seen[user.id] = [other for other in thing.members if other != user.id]
        people[user.id] = sid
        for other in thing.members:
            await sio.emit("thing{n}:asked", {{"id": thing.id}}, to=room_of(other))
        await sio.emit("thing{n}:asked", {{"id": thing.id}}, to=data["room"], skip_sid=sid)
        return {{"ok": True, "count": len(seen)}}

    @sio.on("thing{n}:enter")
    async def enter(sid, data):
        await sio.enter_room(sid, data["room"])
        if data.get("to") in people:
            await sio.emit("thing{n}:entered", {{"by": sid}}, to=people[data["to"]])

    @sio.on("disconnect")
    async def leave(sid, reason):
        people.pop(sid, None)
        {other}
"""
START = """\
import {{ Server }} from "socket.io";
{imports}
const io = new Server(3000);
io.use(async (socket, next) => {{
  socket.data.user = await verifyToken(socket.handshake.auth.token);
  next();
}});
io.on("connection", (socket) => {{
{calls}}});
"""
JS_CALL = 'other(io, socket.data.user.id, "gone");'
# ending -> head, block, import of another file, call of it, number of blocks that make about 150 lines
KINDS = {
    ".js": (
        JS_HEAD,
        JS_BLOCK,
        'import {{ tell as other }} from "./{file}.js";',
        'other(io, socket.data.user.id, "gone");',
        4,
    ),
    ".ts": (
        JS_HEAD,
        JS_BLOCK,
        'import {{ tell as other }} from "./{file}";',
        'other(io, socket.data.user.id, "gone");',
        4,
    ),
    ".gateway.ts": (
        NEST_HEAD,
        NEST_BLOCK,
        'import {{ Thing0Gateway as Other }} from "./{file}.gateway";',
        "this.things.note(Other.name);",
        4,
    ),
    ".py": (PYTHON_HEAD, PYTHON_BLOCK, "from .{file} import tell as other", "await other(sio, sid, 'gone')", 5),
}


def generated_file(number, ending):
    """Return the text of one file.

    It imports the file with the same ending before it.
    """
    head, block, imported, called, blocks = KINDS[ending]
    before = number - len(KINDS)
    has_other = before > 0
    imports = imported.format(file=f"f{before}") if has_other else ""
    other = called if has_other else ("pass" if ending == ".py" else "")
    types = ": any" if ending == ".ts" else ""
    parts = [block.format(n=n, other=other, is_async="", types=types) for n in range(blocks)]
    return "\n\n".join([head.format(imports=imports), *parts])


def write_project(folder, count):
    """Write files of about 150 lines in all languages.

    The first one is short: it makes the server and registers the handlers of all JavaScript files. Returns
    the number of lines of the other files.
    """
    names = [number for number in range(1, count) if number % len(KINDS) == 0]
    imports = "".join(f'import * as f{number} from "./f{number}.js";\n' for number in names)
    calls = "".join(f"  f{number}.register{n}(io, socket);\n" for number in names for n in range(4))
    (folder / "f0.js").write_text(START.format(imports=imports, calls=calls))
    lines = 0
    for number in range(1, count):
        ending = [*KINDS][number % len(KINDS)]
        text = generated_file(number, ending)
        (folder / f"f{number}{ending}").write_text(text)
        lines += text.count("\n")
    return lines
