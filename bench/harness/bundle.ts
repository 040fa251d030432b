import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

/** The size of a program with all its imports, bundled, minified and gzipped, in bytes. */
export async function gzippedBytes(
  contents: string,
  options: { readonly resolveDir: string; readonly platform: 'node' | 'neutral' },
): Promise<number> {
  const { resolveDir, platform } = options;
  const { outputFiles } = await build({
    stdin: { contents, resolveDir },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform,
    // Without the paths of this project: `latchkey` is the built package, as its users get it.
    tsconfigRaw: {},
  });
  return gzipSync(outputFiles[0]!.contents).length;
}
