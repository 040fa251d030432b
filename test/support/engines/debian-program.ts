import { execFile } from 'node:child_process';
import { access, constants, cp, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { readableAt, type ServerSite } from './server-site.js';

export interface Program {
  readonly command: string;
  readonly env: NodeJS.ProcessEnv;
}

/** Of the project, in whose folder its scripts run. */
const cache = resolve('node_modules/.cache/debian-programs');

/**
 * Finds a server program: an installed one, else that of Debian's package, unpacked (never installed: that would
 * need root and start a service) under `node_modules/.cache`. Rejects when there is neither, because a test that is
 * skipped proves nothing.
 */
export async function debianProgram(
  site: ServerSite,
  program: string,
  debianPackage = program,
): Promise<Program> {
  const installed = await firstExecutable(program, searchPath());
  if (installed !== undefined) return { command: installed, env: {} };
  const unpacked = join(cache, debianPackage);
  await access(unpacked).catch(() => unpack(debianPackage, unpacked));
  const root = await readableAt(site, unpacked);
  const command = await firstExecutable(
    program,
    binaryDirectories.map((path) => join(root, path)),
  );
  if (command === undefined) throw new Error(`Debian's package ${debianPackage} holds no ${program}`);
  return { command, env: { LD_LIBRARY_PATH: (await libraryDirectories(root)).join(delimiter) } };
}

const binaryDirectories = ['usr/bin', 'usr/sbin'];

function searchPath(): string[] {
  return [
    ...(process.env['PATH'] ?? '').split(delimiter),
    ...binaryDirectories.map((path) => resolve('/', path)),
  ];
}

async function firstExecutable(program: string, directories: string[]): Promise<string | undefined> {
  for (const directory of directories) {
    const command = join(directory, program);
    const refused = await access(command, constants.X_OK).catch((error: Error) => error);
    if (refused === undefined) return command;
  }
  return undefined;
}

async function libraryDirectories(root: string): Promise<string[]> {
  const directories = ['usr/lib', 'lib'].map((path) => join(root, path));
  const found = directories.map(async (directory) =>
    (await readdir(directory).catch(() => []))
      .filter((name) => name.includes('-linux-'))
      .map((name) => join(directory, name)),
  );
  return (await Promise.all(found)).flat();
}

/** Downloads what apt would install, if need be from Debian's backports. Appears in one step: two runs may do it at once. */
async function unpack(debianPackage: string, target: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  const scratch = await mkdtemp(`${target}-`);
  const root = join(scratch, 'root');
  const options = [`Dir::State::Lists=${scratch}/lists`, `Dir::Cache=${scratch}`, 'APT::Sandbox::User=root'];
  const install = ['install', '--simulate', '--no-install-recommends', debianPackage];
  const apt = async (...args: string[]) => {
    const command = [...options.flatMap((option) => ['-o', option]), ...args];
    return (await run('apt-get', command, { cwd: scratch })).stdout;
  };
  try {
    await mkdir(join(scratch, 'lists'));
    await apt('update');
    const plan = await apt(...install).catch(async () => {
      const sources = join(scratch, 'backports');
      await cp('/etc/apt/sources.list.d', sources, { recursive: true });
      await writeFile(join(sources, 'backports.list'), backports(await apt('indextargets', ...targetFormat)));
      options.push(`Dir::Etc::SourceParts=${sources}`);
      await apt('update');
      return apt(...install);
    });
    const missing = Array.from(plan.matchAll(/^Inst (\S+)/gm), ([, name]) => name ?? '');
    await apt('download', ...missing);
    for (const archive of (await readdir(scratch)).filter((name) => name.endsWith('.deb'))) {
      await run('dpkg', ['-x', join(scratch, archive), root]);
    }
    await rename(root, target).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } catch (cause) {
    const message = `${debianPackage} is not installed and could not be downloaded from Debian: install it by hand`;
    throw new Error(message, { cause });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

const targetFormat = ['--format', '$(ORIGIN) $(SITE) $(CODENAME)', 'Created-By: Packages'];

/** The source of packages that are newer than the release. */
function backports(targets: string): string {
  const [, site, codename] = /^Debian (\S+) ([a-z]+)$/m.exec(targets) ?? [];
  if (site === undefined) throw new Error('this system has no source of Debian packages');
  return `deb ${site} ${codename}-backports main\n`;
}

const run = promisify(execFile);
