/**
 * "We run forty commands on one host, and sshd drops every third login."
 *
 * SSH with `ssh2`: one login serves many commands, and the pool never starts more logins at once than sshd accepts.
 */
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { ConnectionPool, type ConnectionPoolOptions } from 'latchkey';
import ssh2 from 'ssh2';

/** The key of the pool: where to log in, and as whom. */
export type SshHost = ssh2.ConnectConfig;

/** A client that has logged in, and the promise of its end. */
export interface SshConnection {
  readonly client: ssh2.Client;
  readonly closed: Promise<void>;
}

/** One pool for any number of hosts. */
export type SshPool = ConnectionPool<SshConnection, SshHost>;

/** The defaults suit a stock sshd: it allows 10 sessions per connection, and drops logins at random beyond 10 at once. */
export function sshPool(options?: ConnectionPoolOptions): SshPool {
  return new ConnectionPool<SshConnection, SshHost>(
    {
      async connect(host, { signal, lost }) {
        const client = new ssh2.Client();
        const closed = new Promise<void>((resolve) => client.once('close', resolve));
        signal.addEventListener('abort', () => client.destroy(), { once: true });
        await new Promise<void>((resolve, reject) => {
          client.once('ready', resolve).on('error', reject).on('error', lost).connect(host);
          void closed.then(() => reject(new Error('the server hung up during the login')));
        });
        void closed.then(() => lost());
        await roundTrip(client);
        return { client, closed };
      },
      close({ client, closed }) {
        client.end();
        return closed;
      },
      keyId: ({ host, port, username }) => `${username}@${host}:${port}`,
    },
    { leasesPerConnection: 10, maxConnecting: 5, ...options },
  );
}

/** Example: runs `command` on `host` and resolves with its output. */
export function runRemote(pool: SshPool, host: SshHost, command: string): Promise<string> {
  return pool.use(host, async ({ client }) => {
    const channel = await new Promise<ssh2.ClientChannel>((resolve, reject) => {
      client.exec(command, (error, opened) => (error ? reject(error) : resolve(opened)));
    });
    channel.stderr.resume();
    const [output] = await Promise.all([text(channel), once(channel, 'close')]);
    await roundTrip(client);
    return output;
  });
}

/** Sends a request that sshd refuses. Its answer proves that sshd has counted the last login or session end. */
function roundTrip(client: ssh2.Client): Promise<unknown> {
  return new Promise((answered) => client.unforwardIn('127.0.0.1', 0, answered));
}
