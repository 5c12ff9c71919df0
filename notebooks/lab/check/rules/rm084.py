"""RM084: code that reads the user where Nest's guards do not run.

A guard is a NestJS class that checks the client before a handler runs, and often sets the user. Guards do not run at
connect.
"""

from collections.abc import Iterable

from lab.check.facts import Facts
from lab.check.identity import verifies
from lab.check.ir import Call, Func, Member, Name, Node
from lab.check.model import Hit, Rule, Snippet
from lab.check.rules.nest_gateway import GATEWAY
from lab.check.tags import VERIFIERS, Tag


def find(facts: Facts) -> Iterable[Hit]:
    """Yield reads of the user in `handleConnection` of a guarded gateway.

    In NestJS, a gateway is a class with socket handlers, and a guard checks the client before a handler runs. Nest does
    not run guards before `handleConnection`, so no guard has set the user there.
    """
    # a middleware runs before handleConnection
    servers = [] if verifies(facts, "middleware") else facts.servers
    for server in servers:
        cls = server.gateway
        if cls is None or not any(_called(item) == "UseGuards" for item in cls.decorators):
            continue
        for part in cls.body:
            if isinstance(part, Func) and part.name == "handleConnection" and not _verifies(part):
                node = next(
                    (inner for statement in part.body for inner in statement.walk() if _is_user(facts, inner)), None
                )
                if node is not None:
                    yield Hit(
                        server.module.path, node, "a guard does not run for handleConnection, so the user is not set"
                    )


def _called(node: Node) -> str:
    func = node.func if isinstance(node, Call) else node
    return func.name if isinstance(func, (Name, Member)) else ""


def _is_user(facts: Facts, node: Node) -> bool:
    match node:
        case Member(name="user" | "userId" | "auth", obj=Member(name="data" | "handshake" | "request", obj=obj)):
            return Tag.SOCKET in facts.values.of(obj)
        case Member(name="user" | "userId", obj=obj):
            return Tag.SOCKET in facts.values.of(obj)
    return False


def _verifies(func: Func) -> bool:
    """Tell whether `func` calls a function with a name like `verifyToken`."""
    calls = (node for statement in func.body for node in statement.walk() if isinstance(node, Call))
    return any(VERIFIERS.search(_called(call)) for call in calls)


NEST = Snippet(
    bad="""\
import { UseGuards, UsePipes, ValidationPipe } from "@nestjs/common";
import { ConnectedSocket, MessageBody, SubscribeMessage, WebSocketGateway } from "@nestjs/websockets";
import { Server, Socket } from "socket.io";
import { WsJwtGuard } from "./ws-jwt.guard";
import { rateLimit } from "./middleware";

@UseGuards(WsJwtGuard)
@UsePipes(new ValidationPipe())
@WebSocketGateway({ maxHttpBufferSize: 16_384 })
export class ChatGateway {
  afterInit(server: Server) {
    server.use(rateLimit);
  }

  handleConnection(@ConnectedSocket() client: Socket) {
    client.join(`user:${client.data.user.id}`); // <- RM084
  }

  @SubscribeMessage("chat:typing")
  typing(@ConnectedSocket() client: Socket, @MessageBody() state: Typing) {
    return { typing: state.active };
  }
}
""",
    good="""\
import { WsJwtGuard } from "./ws-jwt.guard";
import { UseGuards } from "@nestjs/common";
import { JwtService } from "@nestjs/jwt";
"""
    + GATEWAY
    + """\
  handleConnection(@ConnectedSocket() client: Socket) {
    client.join(`user:${client.data.user.id}`);
  }
}

@UseGuards(WsJwtGuard)
@UsePipes(new ValidationPipe())
@WebSocketGateway({ namespace: "fleet", maxHttpBufferSize: 16_384 })
export class FleetGateway {
  constructor(private readonly tokens: JwtService) {}

  async handleConnection(@ConnectedSocket() client: Socket) {
    try {
      client.data.user = await this.tokens.verifyAsync(client.handshake.auth.token);
    } catch {
      client.disconnect(true);
      return;
    }
    client.join(`company:${client.data.user.company}`);
  }
}
""",
)

RULE = Rule(
    id="RM084",
    mistake="08",
    level="error",
    title="Nest guard does not run at connect",
    what=(
        "A gateway class has a guard that sets the user, and `handleConnection` reads that user. Nest runs guards "
        "for messages only, never for `handleConnection`."
    ),
    why=(
        "Nobody has verified the token at that point: the user is undefined, so either each connection fails or "
        "sockets join rooms such as `user:undefined` without authentication."
    ),
    exceptions=(
        "The token is verified in `handleConnection` itself, or in a middleware that `afterInit` sets with "
        "`server.use`."
    ),
    fix={
        "nest": (
            "Verify the token in a middleware, which runs before `handleConnection`.\n"
            "afterInit(server: Server) { server.use(verifyToken); } // yours: sets client.data.user"
        ),
    },
    snippets={"nest": NEST},
    find=find,
    severity="8.1",
)
