import vue from '@vitejs/plugin-vue';
import { defineConfig, type Plugin } from 'vite';

/** Typefaces come as WOFF2 and, for browsers of long ago, as WOFF: twice the files for nothing. */
function onlyWoff2(): Plugin {
  return {
    name: 'only-woff2',
    enforce: 'pre',
    transform: (code, id) =>
      id.includes('@fontsource/') && id.endsWith('.css')
        ? code.replaceAll(/, url\([^)]+\.woff\) format\('woff'\)/g, '')
        : undefined,
  };
}

/**
 * Builds the window into dist-renderer/. Nothing is inlined: the content security policy allows no data: fonts, no
 * inline scripts and no eval, so every asset is a file of its own.
 */
const config = defineConfig({
  root: `${import.meta.dirname}/app`,
  base: './',
  plugins: [vue(), onlyWoff2()],
  define: {
    __VUE_OPTIONS_API__: 'false',
    __VUE_PROD_DEVTOOLS__: 'false',
    __VUE_I18N_FULL_INSTALL__: 'false',
    __VUE_I18N_LEGACY_API__: 'false',
    __INTLIFY_PROD_DEVTOOLS__: 'false',
  },
  build: {
    outDir: `${import.meta.dirname}/../dist-renderer`,
    emptyOutDir: true,
    target: 'chrome130',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
  },
  worker: { format: 'es' },
});
export { config as default };
