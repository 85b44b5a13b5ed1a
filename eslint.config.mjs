import js from '@eslint/js';
import vue from 'eslint-plugin-vue';
import tseslint from 'typescript-eslint';
import vueParser from 'vue-eslint-parser';

/** Node's own modules and Electron stay out of code that must also run in a browser. */
const nodeOnly = [{ group: ['node:*'], message: 'This folder runs in the renderer too: no Node modules here.' }];
const electron = [{ group: ['electron', 'electron/*'], message: 'Only main/app and main/preload import electron.' }];
const ort = [{ group: ['onnxruntime-node'], message: 'Only main/runtime talks to ONNX Runtime.' }];

const defaultExport = { selector: 'ExportDefaultDeclaration', message: 'Use named exports.' };

/**
 * The folders of main/ from the ground up: each imports only from floors below its own, so nothing runs in a circle and a
 * folder can be read without those above it. docs/architecture.md says what each is.
 */
const floors = [
  ['system', 'pictures', 'memory', 'msa', 'nn', 'onnx', 'ipc'],
  ['runtime', 'package', 'datasets', 'backbones'],
  ['detector'],
  ['training', 'inspection'],
  ['feeds', 'evaluation', 'calibration'],
  ['audit', 'benchmark'],
  ['store'],
  ['processes'],
  ['station', 'cli'],
  ['app', 'preload'],
];

/** The window's code runs in the window; main/ shares report pages with it. */
const window = [
  { group: ['**/renderer/app/**'], message: 'The window is loaded by its address; main/ uses renderer/report.' },
];

/** Folders of main/ to which something else is open or closed than to the rest. */
const special = {
  nn: [...electron, ...ort, ...window, ...nodeOnly],
  runtime: [...electron, ...window],
  app: [...ort, ...window],
  preload: [...ort, ...window, ...nodeOnly],
};

/** One wall for each folder of main/: floors above and beside it, static and dynamic imports alike. */
const floorWalls = floors.flatMap((floor, level) =>
  floor.map((folder) => {
    const others = floors
      .slice(level)
      .flat()
      .filter((other) => other !== folder);
    const shut = `^(\\.\\./)+(${others.join('|')})/`;
    const message = `main/${folder} imports from lower floors only: ${floors.slice(0, level).flat().join(', ') || 'shared'}.`;
    return {
      files: [`main/${folder}/**/*.ts`],
      rules: {
        'no-restricted-imports': [
          'error',
          {
            patterns: [
              ...(special[folder] ?? [...electron, ...ort, ...window]),
              ...(others.length > 0 ? [{ regex: shut, message }] : []),
            ],
          },
        ],
        'no-restricted-syntax': [
          'error',
          defaultExport,
          { selector: `ImportExpression[source.value=/${shut.replaceAll('/', '\\/')}/]`, message },
        ],
      },
    };
  }),
);

/** shared/ and the window may be loaded anywhere. */
const outerWalls = [
  {
    files: ['shared/**/*.ts'],
    patterns: [
      ...nodeOnly,
      ...electron,
      ...ort,
      { group: ['@napi-rs/*', '@tensorflow/*'], message: 'shared/ is pure TypeScript.' },
      { group: ['**/main/**', '**/renderer/**'], message: 'shared/ depends on nothing but itself.' },
    ],
  },
  {
    files: ['renderer/**/*.{ts,vue}'],
    patterns: [...nodeOnly, ...electron, ...ort, { group: ['**/main/**'], message: 'The renderer sees shared/ only.' }],
  },
].map(({ files, patterns }) => ({ files, rules: { 'no-restricted-imports': ['error', { patterns }] } }));

export default tseslint.config(
  {
    ignores: [
      'dist/',
      'dist-renderer/',
      'node_modules/',
      'demo-output/',
      'coverage/',
      'main/**/*.as.ts',
      '.twinspect/',
    ],
  },
  js.configs.recommended,
  ...tseslint.configs.strict,
  ...vue.configs['flat/recommended'],
  {
    files: ['**/*.vue'],
    languageOptions: { parser: vueParser, parserOptions: { parser: tseslint.parser, sourceType: 'module' } },
    rules: {
      // TypeScript knows the browser's names, prettier the layout, and every user text comes from our own catalogues.
      'no-undef': 'off',
      'vue/max-attributes-per-line': 'off',
      'vue/singleline-html-element-content-newline': 'off',
      'vue/multiline-html-element-content-newline': 'off',
      'vue/html-self-closing': 'off',
      'vue/html-indent': 'off',
      'vue/html-closing-bracket-newline': 'off',
      'vue/no-v-html': 'error',
      'vue/block-lang': ['error', { script: { lang: 'ts' } }],
    },
  },
  {
    rules: {
      // Typed-array arithmetic under noUncheckedIndexedAccess needs `a[i]!`; the bound is the loop's.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      eqeqeq: 'error',
      'no-console': 'error',
      'no-restricted-syntax': ['error', defaultExport],
    },
  },
  ...floorWalls,
  ...outerWalls,
  {
    files: ['*.config.*', 'bench/**', 'main/cli/**', '**/*.mjs'],
    rules: { 'no-console': 'off' },
  },
  {
    files: ['**/*.config.*', '**/*.mjs'],
    rules: { 'no-restricted-syntax': 'off' },
  },
  {
    files: ['**/*.mjs', 'main/app/host/**/*.js'],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', URL: 'readonly' } },
  },
);
