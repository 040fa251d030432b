import { chown, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { debianProgram } from './debian-program.js';
import { ServerProcess } from './server-process.js';
import { atNewSite } from './server-site.js';

export interface SshServer extends AsyncDisposable {
  /** What `ssh2` needs to log in by key. */
  readonly connectionOptions: { host: string; port: number; username: string; privateKey: string };
  /** The log of the server, with refused logins and dropped connections. */
  readonly log: string;
}

export interface SshServerOptions {
  /** Connections that have not logged in yet, at once; the server drops any more. */
  maxStartups: number;
  /** Sessions at once per connection; the server refuses any more. */
  maxSessions: number;
}

/** A private key that no server knows, and its public half. (Some of the ed25519 keys that ssh2 makes are malformed.) */
export function makeKeyPair(): { private: string; public: string } {
  return ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 });
}

/** Starts an OpenSSH server of its own, with its own keys, that lets in the holder of one key. */
export function startSshServer({ maxStartups, maxSessions }: SshServerOptions): Promise<SshServer> {
  return atNewSite(async (site) => {
    const { user, directory, port } = site;
    const program = await debianProgram(site, 'sshd', 'openssh-server');
    const file = (name: string) => join(directory, name);
    const key = makeKeyPair();
    const settings = {
      ListenAddress: `127.0.0.1:${port}`,
      HostKey: file('host_key'),
      AuthorizedKeysFile: file('authorized_keys'),
      PidFile: 'none',
      LogLevel: 'VERBOSE',
      MaxStartups: maxStartups,
      MaxSessions: maxSessions,
      PasswordAuthentication: 'no',
      KbdInteractiveAuthentication: 'no',
      UsePAM: 'no',
      StrictModes: 'no',
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name} ${value}\n`);
    await Promise.all([
      writeFile(file('host_key'), makeKeyPair().private, { mode: 0o600 }),
      writeFile(file('authorized_keys'), key.public),
      writeFile(file('sshd_config'), lines.join('')),
    ]);
    await chown(file('host_key'), user.uid, user.gid);
    const server = await ServerProcess.start({
      ...program,
      args: ['-D', '-e', '-f', file('sshd_config')],
      site,
      stopSignal: 'TERM',
      readyLine: 'Server listening on',
    });
    return {
      connectionOptions: { host: '127.0.0.1', port, username: user.name, privateKey: key.private },
      get log() {
        return server.log;
      },
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  });
}
