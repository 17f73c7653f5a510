import type { IncomingMessage, ServerResponse } from 'node:http';

/** A request that cannot be carried out as it is; the message says what was expected. */
export class BadRequest extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** @throws BadRequest (413) beyond `bytesMax`. */
export async function bodyOf(request: IncomingMessage, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > bytesMax) throw new BadRequest(413, `a body may hold ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** A part of a path. @throws BadRequest */
export function decodePart(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new BadRequest(400, `${JSON.stringify(text)} is not percent-encoded UTF-8`);
  }
}

export function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(value)}\n`);
}

export function notAllowed(response: ServerResponse, method: string | undefined, allowed: string): void {
  response.setHeader('allow', allowed);
  json(response, 405, { error: `${method} is not one of ${allowed}` });
}
