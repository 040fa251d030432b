/** The API reference: one page of markdown per entry of the package, made from the docstrings of the built declarations. */
import { entriesOf, origin, readModule, type Statement, statementsOf } from './declarations.js';

export interface ReferencePage {
  readonly entry: string;
  /** Its place in the site. */
  readonly file: string;
  readonly text: string;
}

export async function referencePages(root: string): Promise<ReferencePage[]> {
  const pages: ReferencePage[] = [];
  for (const [entry, file] of await entriesOf(root)) {
    const { exports } = await readModule(file);
    const names = exports.toSorted((one, other) => one.localeCompare(other, 'en'));
    const sections = await Promise.all(
      names.map(async (name) => section(name, await statementsOf(await origin({ file, name })))),
    );
    const intro = `What \`import { … } from '${entry}'\` gives, from the docstrings of the package.`;
    pages.push({
      entry,
      file: `api/${entry.replace('latchkey/', '')}.md`,
      text: [`# API: ${entry}`, intro, ...sections].join('\n\n').concat('\n'),
    });
  }
  return pages;
}

function section(name: string, statements: readonly Statement[]): string {
  const docs = statements.map(({ doc }) => markdown(doc)).filter((doc) => doc !== '');
  const code = statements.map(({ text }) => text).join('\n');
  return [`## ${name}`, ...docs, `\`\`\`ts\n${code}\n\`\`\``].join('\n\n');
}

/** A docstring as markdown: its tags become words, and what looks like a tag of HTML outside code is escaped. */
function markdown(doc: string): string {
  const text = doc
    .replace(/^\s*\/\*\* ?/, '')
    .replace(/\s*\*\/\s*$/, '')
    .replace(/^ *\* ?/gm, '')
    .replace(/^@example\s*/gm, '**Example**\n\n')
    .replace(/^@throws (.*)$/gm, '\nThrows $1')
    .trim();
  return text
    .split(/(```[\s\S]*?```|`[^`]*`)/)
    .map((part, i) => (i % 2 === 1 ? part : part.replaceAll('<', '&lt;')))
    .join('');
}
