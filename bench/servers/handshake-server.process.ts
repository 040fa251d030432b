/** The server process that handshake-server.ts starts: many hosts, each a port of 127.0.0.1. */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Behaviour, Commands, Request } from './protocol.js';

const hosts = Number(process.argv[2]);
const defaults: Behaviour = { handshakeMs: 10, closeMs: 0, darkHosts: 0, dropAfterMs: 0 };
let behaviour = defaults;
let open = 0;
const counts = { connects: 0, peak: 0 };
const sockets = Array.from({ length: hosts }, () => new Set<Socket>());
const servers = Array.from({ length: hosts }, (_, host) =>
  createServer({ allowHalfOpen: true, noDelay: true }, (socket) => serve(socket, host)),
);

function serve(socket: Socket, host: number): void {
  counts.connects++;
  open++;
  counts.peak = Math.max(counts.peak, open);
  let counted = true;
  const gone = () => {
    if (counted) open--;
    counted = false;
  };
  sockets[host]!.add(socket);
  const isDark = () => host < behaviour.darkHosts;
  const { handshakeMs, dropAfterMs } = behaviour;
  setTimeout(() => !isDark() && socket.writable && socket.write('r'), handshakeMs);
  // A reset leaves no port in TIME_WAIT; thousands of them would leave none for the next dials.
  if (dropAfterMs > 0) setTimeout(() => socket.resetAndDestroy(), dropAfterMs);
  socket.on('data', (bytes) => !isDark() && answer(socket, bytes));
  socket.on('end', () => {
    setTimeout(() => {
      // Count it as gone before the client can see the end, so that a client that waits for the end is not counted twice.
      gone();
      socket.end();
    }, behaviour.closeMs);
  });
  socket.on('close', () => {
    sockets[host]!.delete(socket);
    gone();
  });
  socket.on('error', () => socket.destroy());
}

/** Each byte is a request: answer it after that many milliseconds. */
function answer(socket: Socket, requests: Buffer): void {
  for (const holdMs of requests) {
    if (holdMs === 0) socket.write('a');
    else setTimeout(() => socket.writable && socket.write('a'), holdMs);
  }
}

const commands: Commands = {
  async begin(changes) {
    while (open > 0) await sleep(1);
    behaviour = { ...defaults, ...changes };
    counts.connects = 0;
    counts.peak = 0;
  },
  async behave(changes) {
    const rebooted = sockets.slice(changes.darkHosts ?? hosts, behaviour.darkHosts);
    behaviour = { ...behaviour, ...changes };
    for (const socket of rebooted.flatMap((open) => [...open])) socket.resetAndDestroy();
  },
  async counts() {
    return counts;
  },
  async refuse() {
    // Only the ports close. Open connections stay, so do not wait for them.
    for (const server of servers) server.close();
  },
  async accept() {
    await Promise.all(servers.map((server, i) => listen(server, ports[i]!)));
  },
};

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, '127.0.0.1', 1_024);
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the server listens on no TCP port');
  return address.port;
}

process.on('message', async ({ id, command, argument }: Request) => {
  process.send!({ id, value: await commands[command](argument) });
});
process.on('disconnect', () => process.exit());

const ports = await Promise.all(servers.map((server) => listen(server, 0)));
process.send!({ id: 0, value: ports });
