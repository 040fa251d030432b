/**
 * `npm run docs`: makes the site in `.site/html` from the markdown of the repository and the built package. Needs no
 * network. `npm run docs -- --serve` shows it afterwards.
 */
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { build, serve } from 'vitepress';
import { copyLiveFiles } from './live-files.js';
import { llmsFullTxt, llmsTxt } from './llms.js';
import { type Page, pagesOf, titleOf } from './pages.js';
import { referencePages } from './reference/reference.js';
import { withReference } from './sidebar.js';

const root = process.cwd();
const made = path.join(root, '.site');
const staged = path.join(made, 'pages');
const html = path.join(made, 'html');

interface Manifest {
  readonly name: string;
  readonly description: string;
  readonly homepage: string;
}

async function make(): Promise<void> {
  const about = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as Manifest;
  const codeHost = about.homepage.replace(/#.*$/, '');
  const pages: Page[] = [...(await pagesOf(root, codeHost)), ...(await referencePages(root))];
  const questions = withReference(pages.map(({ file }) => file));
  await rm(made, { recursive: true, force: true });
  await writePages(staged, pages);
  await cp(path.join(root, 'docs/images'), path.join(staged, 'images'), { recursive: true });
  await copyLiveFiles(root, path.join(staged, 'public/live'));
  const sidebar = questions.map(({ text, pages: files }, i) => ({
    text,
    collapsed: i > 0,
    items: files.map((file) => ({
      text: titleOf(pages.find((page) => page.file === `${file}.md`)!).replace(/^API: /, ''),
      link: `/${file.replace(/^index$/, '')}`,
    })),
  }));
  await write(
    path.join(made, 'settings.json'),
    JSON.stringify({ title: about.name, description: about.description, codeHost, sidebar }),
  );
  await build(path.join(root, 'site'));
  // For language models: the list of pages, all pages in one file, and each page as markdown.
  await write(path.join(html, 'llms.txt'), llmsTxt(about, questions, pages, process.env['SITE_BASE']));
  await write(path.join(html, 'llms-full.txt'), llmsFullTxt(questions, pages));
  await writePages(html, pages);
}

async function writePages(folder: string, pages: readonly Page[]): Promise<void> {
  for (const { file, text } of pages) await write(path.join(folder, file), text);
}

async function write(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, text);
}

await make();
if (process.argv.includes('--serve')) await serve({ root: path.join(root, 'site') });
