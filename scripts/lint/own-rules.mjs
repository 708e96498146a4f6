// Rules of our own, for oxlint (.oxlintrc.json) and ESLint (eslint.config.js) alike:
// both know plugins of this shape, and neither offers these as options of its own rules.

/** A rule that says `message` of each node that `visit` finds. */
const rule = (message, visit) => ({
  meta: { type: 'problem', schema: [], messages: { found: message } },
  create: (context) => visit((node) => context.report({ node, messageId: 'found' })),
})

/** Of whatever kind: `computed` and quoted names are other nodes, and have none. */
const isMember = (node, object, property) => node.object.name === object && node.property.name === property

const PLAIN_ERRORS = rule(
  'Throw a MeshError: a code of the closed union and a sentence a person can read.',
  (report) => ({
    ThrowStatement({ argument }) {
      if (argument?.type === 'NewExpression' && argument.callee.name === 'Error') report(argument)
    },
  }),
)

const AMBIENT_CHANCE = rule('Chance comes from the Random port.', (report) => ({
  MemberExpression(node) {
    if (isMember(node, 'Math', 'random')) report(node)
  },
}))

/** `new Date(givenMs)` only converts; these ask what time it is. */
const AMBIENT_TIME = rule('Time comes from the Clock port.', (report) => ({
  MemberExpression(node) {
    if (isMember(node, 'Date', 'now')) report(node)
  },
  NewExpression(node) {
    if (node.callee.name === 'Date' && node.arguments.length === 0) report(node)
  },
  CallExpression(node) {
    if (node.callee.name === 'Date') report(node)
  },
}))

/** Whole-namespace imports keep what is not used out of the bundle. */
const NAMED_ZOD = rule("Write import * as z from 'zod' (helper) or 'zod/mini' (mesh, app).", (report) => ({
  ImportDeclaration({ source, specifiers }) {
    if (!source.value.startsWith('zod')) return
    for (const specifier of specifiers) {
      const isNamed = specifier.type === 'ImportSpecifier' && specifier.importKind !== 'type'
      if (isNamed || specifier.type === 'ImportDefaultSpecifier') report(specifier)
    }
  },
}))

export default {
  meta: { name: 'plexus' },
  rules: {
    'no-plain-errors': PLAIN_ERRORS,
    'no-ambient-chance': AMBIENT_CHANCE,
    'no-ambient-time': AMBIENT_TIME,
    'no-named-zod': NAMED_ZOD,
  },
}
