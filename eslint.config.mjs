import js from '@eslint/js';
import vue from 'eslint-plugin-vue';
import tseslint from 'typescript-eslint';
import vueParser from 'vue-eslint-parser';

/** Node's own modules and Electron stay out of code that must also run in a browser. */
const nodeOnly = [{ group: ['node:*'], message: 'This folder runs in the renderer too: no Node modules here.' }];
const electron = [{ group: ['electron', 'electron/*'], message: 'Only main/app and main/preload import electron.' }];
const ort = [{ group: ['onnxruntime-node'], message: 'Only main/runtime talks to ONNX Runtime.' }];

/** @param {string[]} folders folder names below the root that this folder must not reach into */
const wall = (folders, why) => folders.map((folder) => ({ group: [`**/${folder}/**`], message: why }));

/** Import walls: each is an error, so the folder really says what may run where. */
const walls = [
  {
    files: ['shared/**/*.ts'],
    patterns: [
      ...nodeOnly,
      ...electron,
      ...ort,
      { group: ['@napi-rs/*', '@tensorflow/*'], message: 'shared/ is pure TypeScript.' },
      ...wall(['main', 'renderer'], 'shared/ depends on nothing but itself.'),
    ],
  },
  {
    files: ['renderer/**/*.{ts,vue}'],
    patterns: [...nodeOnly, ...electron, ...ort, ...wall(['main'], 'The renderer sees shared/ only.')],
  },
  {
    files: ['main/nn/**/*.ts'],
    patterns: [
      ...nodeOnly,
      ...electron,
      ...ort,
      ...wall(
        ['onnx', 'runtime', 'training', 'detector', 'inspection', 'cli', 'pictures', 'datasets', 'package'],
        'Networks are pure functions of tensor operations: they know nothing of what runs them.',
      ),
    ],
  },
  {
    files: ['main/onnx/**/*.ts'],
    patterns: [
      ...electron,
      ...ort,
      ...wall(['runtime', 'training', 'detector', 'inspection', 'cli', 'nn'], 'onnx/ only writes and reads graphs.'),
    ],
  },
  {
    files: ['main/runtime/**/*.ts'],
    patterns: [...electron, ...wall(['training', 'inspection', 'cli', 'renderer'], 'runtime/ only executes.')],
  },
  {
    files: ['main/inspection/**/*.ts'],
    patterns: [...electron, ...ort, ...wall(['training', 'cli', 'renderer/views'], 'Inspection never trains.')],
  },
  {
    files: ['main/training/**/*.ts'],
    patterns: [...electron, ...ort, ...wall(['inspection', 'cli', 'renderer'], 'Training never inspects.')],
  },
  {
    files: [
      'main/{cli,pictures,datasets,backbones,detector,memory,calibration,evaluation,package,system}/**/*.ts',
      'main/{audit,benchmark,drift,feeds,ipc,processes,station,store}/**/*.ts',
    ],
    patterns: [...electron, ...ort],
  },
  {
    files: ['main/{app,preload}/**/*.ts'],
    patterns: [...ort, ...wall(['renderer/app'], 'The shell loads the window by its address.')],
  },
];

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
      'no-restricted-syntax': ['error', { selector: 'ExportDefaultDeclaration', message: 'Use named exports.' }],
    },
  },
  ...walls.map(({ files, patterns }) => ({
    files,
    rules: { 'no-restricted-imports': ['error', { patterns }] },
  })),
  {
    files: ['*.config.*', 'bench/**', 'main/cli/**', '**/*.mjs'],
    rules: { 'no-console': 'off', 'no-restricted-syntax': 'off' },
  },
  {
    files: ['**/*.mjs', 'main/app/host/**/*.js'],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', URL: 'readonly' } },
  },
);
