/** The looks of the site: VitePress's own, without fonts to download. */
import DefaultTheme from 'vitepress/theme-without-fonts';

export default DefaultTheme;
