/** Headless Chromium: an installed one, else Debian's. */
import { access, constants } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { debianProgram, type Program } from './debian-program.js';
import type { ServerSite } from './server-site.js';

/** Chromium without windows, and so without the libraries that these need. */
const debianPackage = 'chromium-headless-shell';

async function installedBrowser(): Promise<Program | undefined> {
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
      const command = join(directory, name);
      const isThere = await access(command, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (isThere) return { command, env: {} };
    }
  }
  return undefined;
}

/**
 * What stands in `bin` is a script that looks for the browser where Debian installs it; and PulseAudio keeps a library in a
 * folder of its own, which only an installed one finds.
 */
function wholeProgram({ command, env }: Program): Program {
  const libraries = (env['LD_LIBRARY_PATH'] ?? '').split(delimiter).filter(Boolean);
  const all = [...libraries, ...libraries.map((directory) => join(directory, 'pulseaudio'))];
  return {
    command: join(dirname(command), '..', 'lib', 'chromium', debianPackage),
    env: libraries.length === 0 ? env : { ...env, LD_LIBRARY_PATH: all.join(delimiter) },
  };
}

export async function chromiumProgram(site: ServerSite): Promise<Program> {
  return (await installedBrowser()) ?? wholeProgram(await debianProgram(site, debianPackage));
}

/** Arguments: nothing is drawn on a screen, and the browser calls nobody by itself. */
export const quietly = [
  '--disable-gpu',
  '--disable-quic',
  '--disable-background-networking',
  '--disable-component-update',
];
