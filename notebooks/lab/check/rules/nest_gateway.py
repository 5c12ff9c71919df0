"""Opening lines of the NestJS snippets: limits, validation and authentication.

Without these lines, RM085, RM101 and RM104 would also report the snippets.
"""

GATEWAY = """\
import { UsePipes, ValidationPipe } from "@nestjs/common";
import { ConnectedSocket, MessageBody, SubscribeMessage, WebSocketGateway, WebSocketServer } from "@nestjs/websockets";
import { Server, Socket } from "socket.io";
import { rateLimit, verifyToken } from "./middleware";

@UsePipes(new ValidationPipe())
@WebSocketGateway({ maxHttpBufferSize: 16_384 })
export class OrdersGateway {
  @WebSocketServer() server: Server;

  afterInit(server: Server) {
    server.use(verifyToken);
    server.use(rateLimit);
  }

"""
