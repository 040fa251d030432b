/**
 * `npm run build`: makes `dist` from `src`. TypeScript writes the declarations, one beside each source; Rollup puts the code
 * into one file per entry and a few shared ones, because loading a hundred files takes longer than running them. There
 * are two forms of it: ES modules in `dist`, and CommonJS in `dist/cjs` for tools that cannot `require` ES modules.
 */
import { execFileSync } from 'node:child_process';
import { cp, readdir, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { transform } from 'esbuild';
import { rollup } from 'rollup';

const root = fileURLToPath(new URL('..', import.meta.url));
const src = path.join(root, 'src');
const dist = path.join(root, 'dist');
const cjs = path.join(dist, 'cjs');

/** Reads TypeScript, and leaves the comments to the declarations. */
const typescript = {
  name: 'typescript',
  resolveId: (id, importer) =>
    importer === undefined ? null : path.resolve(importer, '..', id.replace(/\.js$/, '.ts')),
  async transform(code) {
    const { code: javascript } = await transform(code, { loader: 'ts', target: 'es2022' });
    return { code: javascript, map: null };
  },
};

/** `import.meta.url` tells where the module would be if it had a file of its own, so that `..` is still `dist`. */
const ownAddress = {
  name: 'own address',
  resolveImportMeta(_property, { chunkId, format, moduleId }) {
    const own = path.relative(src, moduleId).replaceAll('\\', '/').replace(/\.ts$/, '.js');
    const file = path.posix.relative(path.posix.dirname(chunkId), own);
    const base = format === 'es' ? 'import.meta.url' : "'file://' + __filename";
    return `new URL(${JSON.stringify(file)}, ${base}).href`;
  },
};

/** The modules that the main entry needs. They go into one file, which loads faster than many. */
function coreModules(getModuleInfo) {
  const core = new Set();
  const add = (id) => {
    if (core.has(id)) return;
    core.add(id);
    getModuleInfo(id).importedIds.forEach(add);
  };
  getModuleInfo(path.join(src, 'index.ts')).importedIds.forEach(add);
  return core;
}

const tsc = createRequire(import.meta.url)
  .resolve('typescript/package.json')
  .replace('package.json', 'bin/tsc');
const project = path.join(root, 'tsconfig.build.json');

await rm(dist, { recursive: true, force: true });
execFileSync(process.execPath, [tsc, '-p', project, '--outDir', cjs], { stdio: 'inherit' });
await cp(cjs, dist, { recursive: true });

const doors = (await readdir(src)).filter((file) => file.endsWith('.ts'));
const bundle = await rollup({
  input: Object.fromEntries(doors.map((file) => [path.parse(file).name, path.join(src, file)])),
  plugins: [typescript, ownAddress],
  treeshake: { moduleSideEffects: false },
});
let core;
for (const [format, dir] of [
  ['es', dist],
  ['cjs', cjs],
]) {
  await bundle.write({
    format,
    dir,
    esModule: true,
    generatedCode: 'es2015',
    hoistTransitiveImports: false,
    chunkFileNames: 'shared/[name].js',
    manualChunks(id, { getModuleInfo }) {
      core ??= coreModules(getModuleInfo);
      return core.has(id) ? 'core' : undefined;
    },
  });
}
await bundle.close();
await writeFile(path.join(cjs, 'package.json'), '{ "type": "commonjs" }\n');
