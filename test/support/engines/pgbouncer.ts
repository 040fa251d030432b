import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { debianProgram } from './debian-program.js';
import type { PostgresServer } from './postgres.js';
import { ServerProcess } from './server-process.js';
import { atNewSite } from './server-site.js';

export interface PgbouncerServer extends AsyncDisposable {
  readonly connectionOptions: PostgresServer['connectionOptions'];
}

/**
 * Starts a pgbouncer in front of `postgres`. By default it gives each transaction whatever server connection is free; in mode
 * 'session' a client keeps its server connection.
 */
export function startPgbouncer(
  postgres: PostgresServer,
  mode: 'transaction' | 'session' = 'transaction',
): Promise<PgbouncerServer> {
  return atNewSite(async (site) => {
    const program = await debianProgram(site, 'pgbouncer');
    const { host, port, user, database } = postgres.connectionOptions;
    const configuration = join(site.directory, 'pgbouncer.ini');
    await writeFile(
      configuration,
      `[databases]
${database} = host=${host} port=${port} user=${user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${site.port}
unix_socket_dir =
auth_type = any
pool_mode = ${mode}
`,
    );
    const server = await ServerProcess.start({
      ...program,
      args: [configuration],
      site,
      stopSignal: 'TERM',
      readyLine: 'process up',
    });
    return {
      connectionOptions: { ...postgres.connectionOptions, port: site.port },
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  });
}
