/**
 * "At every deploy a few requests end with ECONNRESET, and one in a hundred writes only half of what it should."
 *
 * The order is what counts: serve until the load balancer has noticed, accept nothing new, let running requests end, and only then
 * close what they use. Every step has a time limit.
 */
import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Service {
  readonly server: Server;
  /** Locks and semaphores of this process. */
  readonly limits: readonly { close(): void; idle(): Promise<void> }[];
  /** Connection pools. */
  readonly pools: readonly { close(options: { graceMs: number }): Promise<void> }[];
}

/**
 * `noticeMs`: how long the load balancer goes on sending. Resolves when everything has ended, or `graceMs` after that, with
 * what is left closed by force.
 */
export async function shutDown(service: Service, { noticeMs = 5_000, graceMs = 10_000 } = {}): Promise<void> {
  const { server, limits, pools } = service;
  // A client that keeps its connection alive would send its next request into a closing connection.
  server.prependListener('request', (_request, response) => response.setHeader('connection', 'close'));
  await sleep(noticeMs);
  const untilMs = Date.now() + graceMs;
  const leftMs = () => Math.max(0, untilMs - Date.now());
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // Waiting callers are refused now, while there is a connection to answer on; running requests may end.
  for (const limit of limits) limit.close();
  // A client that keeps its connection alive would hold the server open long after its answer.
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  await within(leftMs(), closed);
  clearInterval(sweep);
  server.closeAllConnections();
  await within(leftMs(), Promise.all(limits.map((limit) => limit.idle())));
  await Promise.all(pools.map((pool) => pool.close({ graceMs: leftMs() })));
}

async function within(limitMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([work, timeout]);
  clearTimeout(timer);
}
