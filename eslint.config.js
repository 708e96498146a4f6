// Components, and the scripts that run as they are. What is TypeScript alone is oxlint's,
// by the same rules (.oxlintrc.json): a rule that is on here for components is on there,
// with the same options. Style is prettier's, layers are dependency-cruiser's.
import globals from 'globals'
import svelte from 'eslint-plugin-svelte'
import tseslint from 'typescript-eslint'
import ownRules from './scripts/lint/own-rules.mjs'

export default tseslint.config(
  {
    ignores: ['dist/**', 'coverage/**', '.cache/**', '**/.svelte-check/**', 'test-results/**', 'patches/**'],
  },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },

  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    plugins: { plexus: ownRules },
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname, extraFileExtensions: ['.svelte'] },
    },
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      // the page's own log port is the browser's console
      'no-console': ['error', { allow: ['debug', 'info', 'warn', 'error'] }],
      'plexus/no-plain-errors': 'error',
      'plexus/no-named-zod': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-import-type-side-effects': 'error',
      // unknown is wrapped by asMeshError where it matters
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
      '@typescript-eslint/only-throw-error': ['error', { allowThrowingUnknown: true }],
      // loops that wait on purpose
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      // an arrow that only calls says nothing about its value
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidOperator: true },
      ],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      // spreading a text into its characters is meant
      '@typescript-eslint/no-misused-spread': 'off',
      // factories return closures: their methods have no `this` to lose
      '@typescript-eslint/unbound-method': 'off',
      // a callback that may be asynchronous or not
      '@typescript-eslint/no-invalid-void-type': 'off',
      // branded ids are made by type arguments
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      // hono's chained calls return their base class
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
    },
  },

  { files: ['**/*.svelte', '**/*.svelte.ts'], extends: [svelte.configs.recommended] },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: tseslint.parser } },
    rules: {
      // text of a model is the one thing that may become HTML, and only after the sanitiser
      'svelte/no-at-html-tags': 'error',
      'svelte/no-target-blank': 'error',
      // our navigation is our own: there is no framework behind it
      'svelte/no-navigation-without-resolve': 'off',
      // a Map or URLSearchParams used inside one function needs no reactivity
      'svelte/prefer-svelte-reactivity': 'off',
      // `void value` in an effect names what it depends on
      '@typescript-eslint/no-meaningless-void-operator': 'off',
      // the compiler's $state and $derived look constant to the type checker
      '@typescript-eslint/no-unnecessary-condition': 'off',
      'prefer-const': 'off',
    },
  },

  {
    files: ['**/*.js', '**/*.mjs', '**/*.cjs'],
    languageOptions: { globals: globals.node },
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-undef': 'error',
      'no-unused-vars': ['error', { argsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_' }],
    },
  },
)
