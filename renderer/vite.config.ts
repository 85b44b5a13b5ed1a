import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vite';

/**
 * Builds the window into dist-renderer/. Nothing is inlined: the content security policy allows no data: fonts, no
 * inline scripts and no eval, so every asset is a file of its own.
 */
const config = defineConfig({
  root: `${import.meta.dirname}/app`,
  base: './',
  plugins: [vue()],
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
