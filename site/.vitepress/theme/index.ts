/** The looks of the site: VitePress's own, without fonts to download, and the timelines. */
import type { Theme } from 'vitepress';
import DefaultTheme from 'vitepress/theme-without-fonts';
import { colours, laneStyle } from '../../timelines/picture.js';
import { TimelineDemo } from './timeline.js';
import './timeline.css';

export default {
  extends: DefaultTheme,
  enhanceApp({ app }) {
    app.component('Timeline', TimelineDemo);
    if (typeof document === 'undefined') return;
    const style = document.createElement('style');
    style.textContent = `:root{${colours.light}}.dark{${colours.dark}}${laneStyle}`;
    document.head.append(style);
  },
} satisfies Theme;
