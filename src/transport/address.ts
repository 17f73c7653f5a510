/** Where an endpoint listens, as `host:port`; an IPv6 host stands in brackets: `[::1]:7001`. */
export interface Address {
  readonly host: string;
  /** 0 to 65535. 0 lets the system choose, when listening. */
  readonly port: number;
}

/** The address that `text` writes, or a sentence saying why it writes none. */
export function parseAddress(text: string): Address | string {
  const parts = /^(?:\[([^[\]]+)\]|([^:[\]\s]+)):([0-9]{1,5})$/.exec(text);
  const host = parts?.[1] ?? parts?.[2];
  const port = Number(parts?.[3]);
  if (host === undefined || port > 65535) {
    return `${JSON.stringify(text)} is no address: expected host:port, such as "10.0.0.1:7001" or "[::1]:7001"`;
  }
  return { host, port };
}

export function formatAddress(address: Address): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
