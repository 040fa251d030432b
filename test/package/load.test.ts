import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const src = fileURLToPath(new URL('../../src', import.meta.url));
const files = (await readdir(src, { recursive: true })).filter((name) => name.endsWith('.ts')).sort();

// Nothing is imported above: an error while a module loads is then a failing test, not a file without tests.
test.each(files)('%s can be loaded by itself', async (file) => {
  await expect(import(`${src}/${file}`)).resolves.toBeTypeOf('object');
});
