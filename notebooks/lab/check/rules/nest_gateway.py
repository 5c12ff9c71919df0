"""Code that most NestJS examples of the checker's rules share.

The code is the beginning of a class with socket handlers: it sets limits, validation and authentication. Each example
shows the mistake of one rule, or how to fix it. Without this code, other rules could also report the example: RM101
(rate limit) and RM104 (validation).
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
