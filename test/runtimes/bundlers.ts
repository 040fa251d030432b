/** Bundlers: the claims, put into one file together with the package, still hold when Node runs it. */
import { join } from 'node:path';
import * as esbuildApi from 'esbuild';
import * as rollupApi from 'rollup';
import { fromNpm } from './from-npm.js';
import type { Verdict } from './portable.js';
import { verdictsOf } from './scripts.js';
import type { Consumer, Subject } from './subject.js';

const formats = { esm: 'mjs', cjs: 'cjs' } as const;
type Format = keyof typeof formats;

export const esbuild = bundler('esbuild', esbuildApi.version, async (entryPoint, file, format) => {
  const { warnings } = await esbuildApi.build({
    entryPoints: [entryPoint],
    outfile: file,
    bundle: true,
    minify: true,
    // A claim looks for a function by its name.
    keepNames: true,
    platform: 'neutral',
    format,
    logLevel: 'silent',
  });
  return warnings.map(({ text }) => text);
});

export const rollup = bundler('rollup', rollupApi.VERSION, async (entryPoint, file, format) => {
  const warnings: string[] = [];
  const bundle = await rollupApi.rollup({
    input: entryPoint,
    plugins: [await nodeResolve()],
    onwarn({ code, id, message }) {
      // The claims are written with `using`, which the compiler of this project replaces by such code.
      const isOurs = code !== 'THIS_IS_UNDEFINED' || id?.includes('node_modules');
      if (isOurs) warnings.push(message);
    },
  });
  await bundle.write({ file, format });
  await bundle.close();
  return warnings;
});

/** Rollup itself looks into no `node_modules`. */
async function nodeResolve(): Promise<rollupApi.Plugin> {
  const { modules } = await fromNpm('@rollup/plugin-node-resolve');
  const plugin = await import(join(modules, '@rollup/plugin-node-resolve/dist/es/index.js'));
  return (plugin as { nodeResolve(): rollupApi.Plugin }).nodeResolve();
}

/** Bundles a program into one file; resolves with the warnings of the bundler. */
type Bundle = (entryPoint: string, file: string, format: Format) => Promise<string[]>;

function bundler(name: string, version: string, bundle: Bundle): Subject {
  return {
    name,
    async attempt({ directory }: Consumer) {
      const startedMs = performance.now();
      const verdicts: Verdict[] = [];
      for (const [format, extension] of Object.entries(formats) as [Format, string][]) {
        const file = join(directory, `${name}.${extension}`);
        const warnings = await bundle(join(directory, 'portable.main.js'), file, format);
        const silent = `${format}: bundled without a warning`;
        verdicts.push(
          warnings.length === 0 ? { name: silent } : { name: silent, error: warnings.join('\n') },
        );
        verdicts.push(...(await verdictsOf(process.execPath, [file], directory)));
      }
      return { version, verdicts, ms: performance.now() - startedMs };
    },
  };
}
