/** Whether `require()` gives what `import` gives, for every entry of the package. */
import { createRequire } from 'node:module';
import type { Verdict } from './portable.js';

const require = createRequire(import.meta.url);
const { exports } = require('latchkey/package.json') as { exports: Record<string, unknown> };
const entries = Object.keys(exports).filter((entry) => entry !== './package.json');

async function compare(entry: string): Promise<Verdict> {
  const name = `require: ${entry.replace('.', 'latchkey')} is what import gives`;
  try {
    const required = require(entry.replace('.', 'latchkey')) as Record<string, unknown>;
    const imported = (await import(entry.replace('.', 'latchkey'))) as Record<string, unknown>;
    const names = Object.keys(imported);
    const others = names.filter((exported) => required[exported] !== imported[exported]);
    if (names.length === 0 || others.length > 0)
      throw new Error(`${names.length} names, different: ${others.join()}`);
    return { name };
  } catch (error) {
    return { name, error: String(error) };
  }
}

Promise.all(entries.map(compare)).then((verdicts) => console.log(JSON.stringify(verdicts)));
