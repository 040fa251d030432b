import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import type { BackendSize } from './http-backend.process.js';

export interface HttpBackend {
  readonly port: number;
  setWorkers(count: number): void;
  /** Stops the process for that long: connections are accepted by the system, and nothing is answered. */
  hang(forMs: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startHttpBackend(): Promise<HttpBackend> {
  const child = fork(new URL('./http-backend.process.js', import.meta.url), { stdio: 'inherit' });
  const [port] = (await once(child, 'message')) as [number];
  return {
    port,
    setWorkers: (workers) => void child.send({ workers, queueMax: 100 } satisfies BackendSize),
    async hang(forMs) {
      child.kill('SIGSTOP');
      await new Promise((resolve) => setTimeout(resolve, forMs));
      child.kill('SIGCONT');
    },
    async stop() {
      child.disconnect();
      await once(child, 'exit');
    },
  };
}

/** Calls over kept connections. They resolve with the whole response, because a limit takes a bare status for data of a user. */
export function httpCaller(port: number, timeoutMs?: number): () => Promise<IncomingMessage> {
  const agent = new Agent({
    keepAlive: true,
    maxSockets: Infinity,
    maxFreeSockets: Infinity,
    scheduling: 'lifo',
  });
  return () =>
    new Promise((resolve, reject) => {
      const request = get({ port, host: '127.0.0.1', agent }, (response) => {
        response.resume();
        response.on('end', () => resolve(response));
        response.on('error', reject);
      }).on('error', reject);
      if (timeoutMs === undefined) return;
      const timeout = Object.assign(new Error(`no answer within ${timeoutMs} ms`), { code: 'ETIMEDOUT' });
      const timer = setTimeout(() => request.destroy(timeout), timeoutMs);
      request.once('close', () => clearTimeout(timer));
    });
}
