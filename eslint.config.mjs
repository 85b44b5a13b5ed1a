import js from '@eslint/js';
import tseslint from 'typescript-eslint';

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
    files: ['renderer/**/*.ts'],
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
    files: ['main/{cli,pictures,datasets,backbones,detector,memory,calibration,evaluation,package,system}/**/*.ts'],
    patterns: [...electron, ...ort],
  },
];

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'demo-output/', 'coverage/', 'main/**/*.as.ts'] },
  js.configs.recommended,
  ...tseslint.configs.strict,
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
  { files: ['**/*.mjs'], languageOptions: { globals: { process: 'readonly', console: 'readonly', URL: 'readonly' } } },
);
