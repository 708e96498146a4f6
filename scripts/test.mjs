// npm test: installs what is missing, builds, checks, and runs every test. The last
// line is "N passed, N failed"; a step that fails before the tests counts as one.
import { mkdir, readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { requireNode } from './lib/node-version.mjs'
import { ensureBuilt } from './lib/build.mjs'
import { ensureChromium } from './lib/chromium.mjs'
import { ensureInstalled } from './lib/install.mjs'
import { ensureNamespaces } from './lib/namespaces.mjs'
import { modulesDir, root } from './lib/paths.mjs'
import { run, runInGaps } from './lib/run.mjs'

requireNode()

const reportFile = join(root, '.cache', 'test-report.json')
const extra = process.argv.slice(2).filter((argument) => argument !== '--full')
const isFull = process.argv.includes('--full')
const tally = { passed: 0, failed: 0, skipped: 0 }
/** What failed, repeated at the end: the output before it is long. */
const failures = []

function say(sentence) {
  process.stderr.write(`${sentence}\n`)
}

function step(name, ok) {
  if (ok) tally.passed++
  else {
    tally.failed++
    failures.push(name)
  }
  return ok
}

async function readReport() {
  try {
    return JSON.parse(await readFile(reportFile, 'utf8'))
  } catch {
    return undefined
  }
}

function count(report) {
  for (const file of report.testResults) {
    let failedHere = 0
    for (const result of file.assertionResults) {
      if (result.status === 'passed') tally.passed++
      else if (result.status === 'failed') {
        failedHere++
        failures.push(`${file.name.slice(root.length + 1)}: ${result.fullName}`)
      } else tally.skipped++
    }
    // a file that could not be read, or whose set-up failed, has no failed test of its own
    if (file.status === 'failed' && failedHere === 0) {
      failedHere = 1
      failures.push(`${file.name.slice(root.length + 1)}: ${(file.message ?? 'could not run').split('\n')[0]}`)
    }
    tally.failed += failedHere
  }
}

async function runTests(chromium) {
  await mkdir(dirname(reportFile), { recursive: true })
  await rm(reportFile, { force: true })
  const vitest = join(modulesDir, 'vitest', 'vitest.mjs')
  const reporters = ['default', 'json', join(root, 'scripts', 'lib', 'stuck-files.mjs')]
  const args = [
    ...[vitest, 'run', `--outputFile.json=${reportFile}`, ...extra],
    ...reporters.map((reporter) => `--reporter=${reporter}`),
  ]
  const env = {
    ...process.env,
    ...(chromium === undefined ? {} : { PLEXUS_CHROMIUM: chromium }),
    ...(isFull ? { PLEXUS_TEST_FULL: '1' } : {}),
  }
  const code = await run(process.execPath, args, { cwd: root, env })
  const report = await readReport()
  if (report === undefined) {
    step('the tests could not be run', false)
    return
  }
  count(report)
  // an error outside any test (an unhandled rejection) shows only in the exit code
  if (code !== 0 && tally.failed === 0) step(`vitest ended with ${code}`, false)
}

if (step('install', await ensureInstalled({ say }))) {
  const chromium = await ensureChromium(say)
  await ensureNamespaces(say)
  step('build of the helper', await ensureBuilt(['helper'], { say }))
  step('build of the page', await ensureBuilt(['page'], { say }))
  // beside the tests, in what they leave of the processor: many of them wait for something
  const checks = runInGaps(process.execPath, [join(root, 'scripts', 'check.mjs')], { cwd: root })
  await runTests(chromium)
  const { code, text } = await checks
  say(text.trimEnd())
  step('checks (types, lint, architecture)', code === 0)
}

for (const name of failures) say(`FAILED ${name}`)
if (tally.skipped > 0) say(`${tally.skipped} skipped`)
process.stdout.write(`\n${tally.passed} passed, ${tally.failed} failed\n`)
process.exitCode = tally.failed === 0 ? 0 : 1
