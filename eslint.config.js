// What the compiler cannot see and prettier does not care for: promises nobody waits
// for, holes in types, impurity in the core. Style is prettier's, layers are
// dependency-cruiser's.
import globals from 'globals'
import svelte from 'eslint-plugin-svelte'
import tseslint from 'typescript-eslint'

const NO_PLAIN_ERRORS = {
  selector: "ThrowStatement > NewExpression[callee.name='Error']",
  message: 'Throw a MeshError: a code of the closed union and a sentence a person can read.',
}
const NO_AMBIENT_CHANCE = {
  selector: "MemberExpression[object.name='Math'][property.name='random']",
  message: 'Chance comes from the Random port.',
}
/** `new Date(givenMs)` only converts; these ask what time it is. */
const NO_AMBIENT_TIME = {
  selector:
    ":matches(MemberExpression[object.name='Date'][property.name='now'], NewExpression[callee.name='Date'][arguments.length=0], CallExpression[callee.name='Date'])",
  message: 'Time comes from the Clock port.',
}
/** Whole-namespace imports keep what is not used out of the bundle. */
const NO_NAMED_ZOD = {
  selector:
    'ImportDeclaration[source.value=/^zod/] > :matches(ImportSpecifier[importKind!="type"], ImportDefaultSpecifier)',
  message: "Write import * as z from 'zod' (helper) or 'zod/mini' (mesh, app).",
}

// The core runs in a browser, in a worker and in Node; in tests it runs in virtual time.
const AMBIENT = {
  performance: 'Time comes from the Clock port.',
  setTimeout: 'Timers come from the Clock port.',
  setInterval: 'Timers come from the Clock port.',
  setImmediate: 'Timers come from the Clock port.',
  clearTimeout: 'Timers come from the Clock port.',
  clearInterval: 'Timers come from the Clock port.',
  queueMicrotask: 'Order must not depend on the platform’s queues.',
  requestAnimationFrame: 'The core knows no screen.',
  crypto: 'Chance comes from the Random port, keys from libp2p or noble.',
  console: 'Lines go to the Logger port.',
  fetch: 'The core fetches nothing.',
  WebSocket: 'Transports come from the composition root.',
  RTCPeerConnection: 'Transports come from the composition root.',
  window: 'The core knows no page.',
  self: 'The core knows no page.',
  document: 'The core knows no page.',
  navigator: 'The core knows no page.',
  location: 'The core knows no page.',
  localStorage: 'Memory comes from the Store port.',
  sessionStorage: 'Memory comes from the Store port.',
  indexedDB: 'Memory comes from the Store port.',
  Worker: 'The core starts no threads.',
  process: 'The core knows no Node.',
  Buffer: 'The core knows no Node: Uint8Array.',
  require: 'The core knows no Node.',
  __dirname: 'The core knows no Node.',
  global: 'The core knows no Node.',
  globalThis: 'Everything impure comes through a port.',
}

/** Pages and workers that a bundler builds on its own; svelte-check and the bundler read them. */
const OUTSIDE_PROJECTS = [
  'app/sw.ts',
  'tests/kit/peer-page/main.ts',
  'tests/kit/peer-page/long-room.ts',
  'tests/kit/preview/**/*.ts',
]

export default tseslint.config(
  {
    ignores: ['dist/**', 'node_modules/**', 'coverage/**', '.cache/**', 'test-results/**', 'patches/**', '**/*.d.mts'],
  },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },

  {
    files: ['**/*.ts', '**/*.svelte', '**/*.svelte.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname, extraFileExtensions: ['.svelte'] },
    },
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
      'no-restricted-syntax': ['error', NO_PLAIN_ERRORS, NO_NAMED_ZOD],
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

  {
    files: ['mesh/**/*.ts'],
    ignores: ['**/*.test.ts'],
    rules: {
      'no-restricted-globals': ['error', ...Object.entries(AMBIENT).map(([name, message]) => ({ name, message }))],
      'no-restricted-syntax': ['error', NO_PLAIN_ERRORS, NO_NAMED_ZOD, NO_AMBIENT_CHANCE, NO_AMBIENT_TIME],
    },
  },

  {
    // AES-GCM, Ed25519 and SHA-256 with what is given: the platform's are as pure as noble's
    files: ['mesh/seal/aead.ts', 'mesh/seal/signatures.ts', 'mesh/seal/digest.ts'],
    rules: { 'no-restricted-globals': 'off' },
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

  // the page's own log port is the browser's console
  {
    files: ['app/**/*.ts', 'app/**/*.svelte'],
    rules: { 'no-console': ['error', { allow: ['debug', 'info', 'warn', 'error'] }] },
  },

  {
    files: OUTSIDE_PROJECTS,
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { parserOptions: { projectService: false, project: null } },
  },

  {
    files: ['tests/**/*.ts', '**/*.test.ts'],
    rules: {
      // assertions on what came over a wire are casts by nature
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-type-assertion': 'off',
      '@typescript-eslint/require-await': 'off',
      // old names are still sent by clients, and tests send what clients send
      '@typescript-eslint/no-deprecated': 'off',
      '@typescript-eslint/no-extraneous-class': 'off',
      // a test reads what a person would read
      'no-console': 'off',
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
