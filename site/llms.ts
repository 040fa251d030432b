/** `llms.txt`: the list of pages for language models; `llms-full.txt`: all of their text. See llmstxt.org. */
import { type Page, titleOf } from './pages.js';
import type { Question } from './sidebar.js';

export interface Described {
  readonly name: string;
  readonly description: string;
}

export function llmsTxt(
  about: Described,
  questions: readonly Question[],
  pages: readonly Page[],
  base = '/',
): string {
  const sections = questions.map(({ text, pages: files }) => {
    const lines = files.map((file) => {
      const page = pageOf(pages, file);
      return `- [${titleOf(page)}](${base}${page.file})${firstSentence(page)}`;
    });
    return `## ${text}\n\n${lines.join('\n')}`;
  });
  return [`# ${about.name}`, `> ${about.description}`, ...sections].join('\n\n').concat('\n');
}

export function llmsFullTxt(questions: readonly Question[], pages: readonly Page[]): string {
  const texts = questions.flatMap(({ pages: files }) =>
    files.map((file) => {
      const page = pageOf(pages, file);
      return `<!-- /${page.file} -->\n\n${page.text.trim()}`;
    }),
  );
  return texts.join('\n\n').concat('\n');
}

function pageOf(pages: readonly Page[], file: string): Page {
  return pages.find((page) => page.file === `${file}.md`)!;
}

/** The first sentence of a page. */
function firstSentence({ text }: Page): string {
  const paragraph = /^# .*\n+((?:[^\n#`|].*\n)+)/m.exec(text)?.[1]?.replaceAll('\n', ' ') ?? '';
  const sentence = /^"[^"]*"|^.*?[.:](?= |$)/.exec(paragraph)?.[0].replace(/:$/, '.');
  return sentence === undefined ? '' : `: ${sentence}`;
}
