import { debianProgram } from './debian-program.js';
import { ServerProcess } from './server-process.js';
import { atNewSite } from './server-site.js';

export interface RedisServer extends AsyncDisposable {
  readonly connectionOptions: { host: string; port: number };
  /** Stops the server; it keeps no data. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** The server answers nothing until `thaw`, while its connections stay open: a network partition. */
  freeze(): void;
  thaw(): void;
}

/** Starts a Redis of its own, which writes nothing to disk. */
export function startRedis(): Promise<RedisServer> {
  return atNewSite(async (site) => {
    const { directory, port } = site;
    const program = await debianProgram(site, 'redis-server');
    const settings = { port, bind: '127.0.0.1', dir: directory, save: '', appendonly: 'no' };
    const launch = () =>
      ServerProcess.start({
        ...program,
        args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
        site,
        stopSignal: 'TERM',
        readyLine: 'Ready to accept connections',
      });
    let server = await launch();
    return {
      connectionOptions: { host: '127.0.0.1', port },
      stop: () => server.stop(),
      async start() {
        server = await launch();
      },
      freeze: () => server.signal('SIGSTOP'),
      thaw: () => server.signal('SIGCONT'),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  });
}
