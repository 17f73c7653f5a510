import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP line to one address, that can be cut: what is under way is lost, and nothing more comes through. */
export class Line {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #to: { readonly host: string; readonly port: number };
  #isCut = false;

  private constructor(to: string) {
    this.#to = split(to);
    this.#server = createServer((from) => this.#join(from));
  }

  static async open(at: string, to: string): Promise<Line> {
    const line = new Line(to);
    const { host, port } = split(at);
    line.#server.listen(port, host);
    await once(line.#server, 'listening');
    return line;
  }

  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  close(): void {
    this.cut();
    this.#server.close();
  }

  #join(from: Socket): void {
    if (this.#isCut) {
      from.resetAndDestroy();
      return;
    }
    const to = connect(this.#to);
    for (const [socket, other] of [
      [from, to],
      [to, from],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  }
}

function split(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
}
