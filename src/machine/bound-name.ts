/** Names that the kernel gives to one process at a time, and takes back when that process ends. */
import { crypto, net, type Server, type Socket, type SystemError, thisProcess } from './node-parts.js';

/**
 * The name of one place of a key. Each part is preceded by its length, so that different parts never make the same name. It is
 * hashed because the kernel takes 107 bytes and Node cuts longer names silently: two long keys would become one lock.
 *
 * The NUL in front makes it an abstract name of Linux: no file, so nothing is left behind by a crash.
 */
export function boundName(kind: string, namespace: string, key: string, place: number): string {
  const parts = [kind, namespace, key, String(place)].map((part) => `${part.length}:${part}`);
  const digest = crypto.createHash('sha256').update(parts.join('')).digest('hex');
  return `\0latchkey-${thisProcess().getuid()}-${digest.slice(0, 32)}`;
}

/** A holder accepts this many waiters. Further ones ask again until they are accepted. */
const longestLine = 1_000;

/** Binds the name and listens on it; `undefined` when it is bound already. */
export function bind(name: string, onVisitor: (socket: Socket) => void): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.maxConnections = longestLine;
    server.on('connection', onVisitor);
    // Also keeps a failed `accept`, for instance without free descriptors, from ending the process.
    server.on('error', (error) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    // Without `exclusive` the workers of a cluster would all share one bound name.
    server.listen({ path: name, exclusive: true }, () => {
      server.unref();
      resolve(server);
    });
  });
}

/** The holder is gone, is leaving, or has no room for another waiter. */
const refusals = ['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EPIPE', 'EAGAIN'];

/** Connects to the process that has bound the name; `undefined` when it cannot be reached. */
export function dial(name: string): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ path: name });
    socket.on('connect', () => resolve(socket));
    socket.on('error', (error: SystemError) => {
      if (error.code !== undefined && refusals.includes(error.code)) resolve(undefined);
      else reject(error);
    });
  });
}
