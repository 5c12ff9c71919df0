"""First lines of a NestJS gateway class, for the rules' examples.

The lines set limits, validation and authentication. Each example shows the mistake of one rule, or how to fix it.
Without these lines, RM085 (handshake), RM101 (rate limit) and RM104 (validation) would also report the example.
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
