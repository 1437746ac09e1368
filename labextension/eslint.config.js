import jupyter from '@jupyter/eslint-plugin';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

export default defineConfig(
  globalIgnores(['lib', '**/*.js']),
  {
    files: ['**/*.ts'],
    plugins: { jupyter },
    extends: [tseslint.configs.strictTypeChecked, jupyter.configs.recommended],
    languageOptions: {
      parserOptions: {
        project: './test/tsconfig.json',
        tsconfigRootDir: import.meta.dirname
      }
    },
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            { from: 'package', package: 'node:test', name: 'test' }
          ]
        }
      ],
      // the registry wants a renderer at once, and the card is small
      'jupyter/prefer-lazy-imports': ['error', { ignoreImports: ['./card.ts'] }]
    }
  },
  {
    files: ['test/*.ts'],
    rules: { 'jupyter/no-untranslated-string': 'off' }
  }
);
