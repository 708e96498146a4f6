// The layers of ARCHITECTURE.md as rules. A module imports only what stands to its
// left; a folder is entered through its index; each big library is touched in one place.

/** The core, from the ground up. */
const MESH_LAYERS = ['base', 'wire', 'seal', 'engine', 'identity', 'net', 'sync', 'route', 'state']

// tests stand beside what they test and may use the kit
const NO_TESTS = '\\.test\\.ts$'
const anyOf = (names) => `(?:${names.join('|')})`

const layerRules = MESH_LAYERS.map((layer, index) => ({
  name: `mesh-${layer}-imports-to-its-left`,
  comment: `mesh/${layer} may import ${index === 0 ? 'nothing else of ours' : MESH_LAYERS.slice(0, index).join(', ')}.`,
  severity: 'error',
  from: { path: `^mesh/${layer}/`, pathNot: NO_TESTS },
  to: {
    path: '^(?:mesh|app|helper|relay|tests|scripts)/',
    pathNot: `^mesh/${anyOf(MESH_LAYERS.slice(0, index + 1))}/`,
  },
}))

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Two modules that need each other are one module, or lack a third.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'nothing-unresolvable',
      comment: 'An import that leads nowhere.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^(?:virtual:|vite/client$)|[?]url$' },
    },
    ...layerRules,
    {
      name: 'mesh-facade-types-know-types-only',
      comment:
        'archive-types.ts, chats-types.ts, mesh-types.ts, people-types.ts, recovery-types.ts and rooms-types.ts are the facade: they name things of the layers and wire none.',
      severity: 'error',
      from: { path: '^mesh/(?:archive|chats|mesh|people|recovery|rooms)-types\\.ts$' },
      to: {
        path: '^mesh/',
        pathNot: `^mesh/(?:${anyOf(MESH_LAYERS)}/index|archive-types|chats-types|people-types|recovery-types|rooms-types)\\.ts$`,
      },
    },
    {
      name: 'mesh-is-below-everything',
      comment: 'The core does not know who uses it.',
      severity: 'error',
      from: { path: '^mesh/', pathNot: NO_TESTS },
      to: { path: '^(?:app|helper|relay|tests|scripts)/' },
    },
    {
      name: 'mesh-is-entered-through-an-index',
      comment:
        'From outside, a folder of the core is its index.ts; the core itself is mesh.ts and the types of its facade. A decoder’s worker loads decoding.ts alone.',
      severity: 'error',
      from: { path: '^(?:app|helper|relay|scripts)/', pathNot: NO_TESTS },
      to: {
        path: '^mesh/',
        pathNot:
          '^mesh/(?:[^/]+/index|sync/decoding|mesh|mesh-types|archive-types|chats-types|people-types|recovery-types|rooms-types)\\.ts$',
      },
    },
    {
      name: 'mesh-folders-are-entered-through-an-index',
      comment: 'Within the core too, another folder is its index.ts.',
      severity: 'error',
      from: { path: '^mesh/([^/]+)/', pathNot: NO_TESTS },
      to: { path: '^mesh/[^/]+/', pathNot: ['^mesh/$1/', '^mesh/[^/]+/index\\.ts$'] },
    },
    {
      name: 'mesh-root-enters-folders-through-an-index',
      comment: 'mesh.ts wires folders, not their files.',
      severity: 'error',
      from: { path: '^mesh/[^/]+\\.ts$', pathNot: NO_TESTS },
      to: { path: '^mesh/[^/]+/', pathNot: '^mesh/[^/]+/index\\.ts$' },
    },
    {
      name: 'helper-folders-are-entered-through-an-index',
      comment: 'A folder of the helper is its index.ts; ports/ is a shelf of single files.',
      severity: 'error',
      from: { path: '^helper/([^/]+)/', pathNot: NO_TESTS },
      to: { path: '^helper/(?!ports/)[^/]+/', pathNot: ['^helper/$1/', '^helper/[^/]+/index\\.ts$'] },
    },
    {
      name: 'helper-root-enters-folders-through-an-index',
      comment: 'The composition root wires folders, not their files.',
      severity: 'error',
      from: { path: '^helper/[^/]+\\.ts$', pathNot: NO_TESTS },
      to: { path: '^helper/(?!ports/)[^/]+/', pathNot: '^helper/[^/]+/index\\.ts$' },
    },
    {
      name: 'helper-engines-are-entered-through-an-index',
      comment: 'An engine is one folder, known to the rest by its index.',
      severity: 'error',
      from: { path: '^helper/engines/[^/]+\\.ts$', pathNot: NO_TESTS },
      to: { path: '^helper/engines/[^/]+/', pathNot: '^helper/engines/[^/]+/index\\.ts$' },
    },
    {
      name: 'mesh-knows-no-node',
      comment: 'The core runs in browsers.',
      severity: 'error',
      from: { path: '^mesh/', pathNot: NO_TESTS },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'app-knows-no-node',
      comment: 'The page runs in browsers.',
      severity: 'error',
      from: { path: '^app/', pathNot: NO_TESTS },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'app-helper-relay-are-strangers',
      comment: 'What they share is in mesh/.',
      severity: 'error',
      from: { path: '^(app|helper|relay)/', pathNot: NO_TESTS },
      to: {
        path: '^(?:app|helper|relay)/',
        // the helper embeds the relay as a module, through its index; the terminal says the sentences of the page
        pathNot: ['^$1/', '^relay/index\\.ts$', '^helper/(?:ports/|shims\\.ts$)', '^app/i18n/en\\.json$'],
      },
    },
    {
      name: 'node-ports-for-node-programs',
      comment: 'Of the relay only the composition root may take the Node ports that stand in helper/.',
      severity: 'error',
      from: { path: '^(?:app|relay)/', pathNot: [NO_TESTS, '^relay/main\\.ts$'] },
      to: { path: '^helper/' },
    },
    {
      name: 'app-knows-no-relay',
      comment: 'The page speaks to a relay, it never is one.',
      severity: 'error',
      from: { path: '^app/', pathNot: NO_TESTS },
      to: { path: '^relay/' },
    },
    {
      name: 'only-the-helper-embeds-the-relay',
      comment: 'The relay is wired where the node of the helper is built, and nowhere else.',
      severity: 'error',
      from: { path: '^helper/(?!ports/).+/', pathNot: NO_TESTS },
      to: { path: '^relay/' },
    },
    {
      name: 'nothing-imports-tests-or-scripts',
      comment: 'What runs at a person’s does not depend on what proves it.',
      severity: 'error',
      from: { path: '^(?:mesh|app|helper|relay)/', pathNot: NO_TESTS },
      to: { path: '^(?:tests|scripts)/' },
    },
    {
      name: 'libp2p-in-net-and-composition-roots',
      comment:
        'libp2p is touched in mesh/net and where transports are handed to it; identity may use its keys and ids.',
      severity: 'error',
      from: {
        path: '^(?:mesh|app|helper|relay)/',
        pathNot: [
          NO_TESTS,
          '^mesh/net/',
          '^mesh/identity/',
          '^(?:app|helper)/(?:ports|peer)/',
          '^helper/(?:main|helper|run-helper)\\.ts$',
          '^app/main\\.ts$',
          '^relay/',
        ],
      },
      to: { path: 'node_modules/(?:@libp2p|libp2p|@chainsafe/libp2p-[^/]+)/' },
    },
    {
      name: 'identity-takes-keys-only',
      comment: 'Identity knows keys and peer ids of libp2p, no networking.',
      severity: 'error',
      from: { path: '^mesh/identity/', pathNot: NO_TESTS },
      to: { path: 'node_modules/(?:@libp2p|libp2p)/', pathNot: 'node_modules/@libp2p/(?:crypto|peer-id|interface)/' },
    },
    {
      name: 'yjs-in-sync',
      comment: 'Only mesh/sync knows how shared documents merge, so that a swap touches one folder.',
      severity: 'error',
      from: { path: '^(?:mesh|app|helper|relay)/', pathNot: ['^mesh/sync/'] },
      to: { path: 'node_modules/(?:yjs|y-protocols)/' },
    },
    {
      name: 'engine-libraries-in-their-folder',
      comment: 'An engine library is wrapped once, so that a swap touches one folder.',
      severity: 'error',
      from: { path: '^(?:mesh|app|helper|relay)/', pathNot: ['^helper/engines/llama/'] },
      to: { path: 'node_modules/node-llama-cpp/' },
    },
    {
      name: 'http-in-the-gateway',
      comment:
        'HTTP frameworks are wrapped by the gateway and by the local API that it mounts; the transport of peers takes WebSockets.',
      severity: 'error',
      from: {
        path: '^(?:mesh|app|helper|relay)/',
        pathNot: ['^helper/gateway/', '^helper/local/', '^helper/ports/door-transport\\.ts$', '^helper/shims\\.ts$'],
      },
      to: { path: 'node_modules/(?:hono|@hono/[^/]+|ws|@types/ws)/' },
    },
    {
      name: 'sanitiser-and-markdown-in-one-place',
      comment: 'What becomes HTML passes one place.',
      severity: 'error',
      from: { path: '^app/(?!parts/)', pathNot: NO_TESTS },
      to: { path: 'node_modules/(?:dompurify|marked)/' },
    },
    {
      name: 'views-read-state',
      comment: 'A view reads state and parts; it never touches net or identity.',
      severity: 'error',
      from: { path: '^app/(?:views|parts|shell)/', pathNot: NO_TESTS },
      to: { path: '^mesh/(?:net|identity|wire)/' },
    },
    {
      name: 'no-development-packages-at-run-time',
      comment: 'npm install --omit=dev must leave something that runs.',
      severity: 'error',
      from: { path: '^(?:mesh|app|helper|relay)/', pathNot: [NO_TESTS, '\\.d\\.ts$'] },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'], pathNot: 'node_modules/@types/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(?:dist|coverage|\\.cache|app/\\.svelte-check)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'svelte', 'node', 'default'],
      mainFields: ['module', 'main', 'types'],
    },
    skipAnalysisNotInRules: true,
  },
}
