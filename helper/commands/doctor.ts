import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { freemem, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { messageOf } from '../../mesh/base/index.ts'
import { findDirOwner, readReadiness } from '../data-dir/index.ts'
import { findIsolation } from '../engines/index.ts'
import { otherUsers } from '../ports/other-users.ts'
import { formatBytes } from '../terminal/index.ts'
import type { Command, CommandContext } from './command.ts'

/** One thing that was looked at. */
interface Check {
  readonly name: string
  readonly ok: boolean
  /** What was found and, where it is not well, what to do. */
  readonly message: string
}

const CHECKS: readonly ((context: CommandContext) => Promise<Check>)[] = [
  checkNode,
  checkDataDir,
  checkPage,
  checkMemory,
  checkEngine,
  checkUsers,
  checkHelper,
]

/** `plexus doctor`; needs no running helper. */
export const doctorCommand: Command = {
  name: 'doctor',
  summary: 'Look whether everything is in order, and say what to do where it is not.',
  settings: 'all',
  async run(_input, context) {
    const checks = await Promise.all(CHECKS.map((check) => check(context)))
    const ok = checks.every((check) => check.ok)
    const lines = checks.map((check) => `${check.ok ? '✓' : '✗'} ${check.message}`)
    return { json: { ok, checks }, text: lines.join('\n') }
  },
}

function checkNode(): Promise<Check> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const ok = major > 20 || (major === 20 && minor >= 19)
  return Promise.resolve({
    name: 'node',
    ok,
    message: ok
      ? `Node ${process.versions.node}.`
      : `Node ${process.versions.node} is too old: install 20.19 or later.`,
  })
}

async function checkDataDir(context: CommandContext): Promise<Check> {
  const dir = context.config.config.dataDir
  try {
    const existing = await nearestExisting(dir)
    const info = await stat(existing)
    if (!info.isDirectory())
      return {
        name: 'data-dir',
        ok: false,
        message: `The data directory ${dir} cannot be used: ${existing} is a file.`,
      }
    await access(existing, constants.W_OK)
    return {
      name: 'data-dir',
      ok: true,
      message: `Data directory ${dir}${existing === dir ? '' : ' (made at the first start)'}.`,
    }
  } catch (error) {
    return {
      name: 'data-dir',
      ok: false,
      message: `The data directory ${dir} cannot be written: ${messageOf(error)}. Choose another with --data-dir.`,
    }
  }
}

async function nearestExisting(path: string): Promise<string> {
  try {
    await access(path)
    return path
  } catch {
    const parent = dirname(path)
    return parent === path ? path : nearestExisting(parent)
  }
}

async function checkPage(context: CommandContext): Promise<Check> {
  const dir = context.config.config.pageDir
  try {
    await access(join(dir, 'index.html'))
    return { name: 'page', ok: true, message: `Page in ${dir}.` }
  } catch {
    return { name: 'page', ok: false, message: `There is no built page in ${dir}: run "npm run build".` }
  }
}

function checkMemory(): Promise<Check> {
  return Promise.resolve({
    name: 'memory',
    ok: true,
    message: `Memory: ${formatBytes(freemem())} free of ${formatBytes(totalmem())}.`,
  })
}

/** That a system has no walls to give is a state of it, and to be known by who downloads models. */
function checkEngine(): Promise<Check> {
  const { isApart, reason = '' } = findIsolation()
  const message = isApart
    ? 'Engines run without a network, and see nothing of the data directory but their model.'
    : `Engines run as your user, with its files and network: this system gives no walls to programs without further rights (${reason}). Use models of makers you trust.`
  return Promise.resolve({ name: 'engine', ok: true, message })
}

/** While the helper is off, its address is anybody's on this machine, and browsers tell programs apart by address only. */
async function checkUsers(): Promise<Check> {
  const others = await otherUsers()
  const message =
    others.length === 0
      ? 'Nobody else has an account on this machine, as far as it says.'
      : `Others have accounts on this machine (${others.slice(0, 5).join(', ')}${others.length > 5 ? ', …' : ''}). While the helper is off they could serve its address to your browser: set a lock in the page (Settings), keep the helper running, or use a page over HTTPS (--lan with "plexus trust", --tls-cert or --page-url).`
  return { name: 'users', ok: true, message }
}

async function checkHelper(context: CommandContext): Promise<Check> {
  const dir = context.config.config.dataDir
  try {
    const owner = await findDirOwner(dir)
    // that none runs is a state, not an illness
    if (owner === undefined)
      return { name: 'helper', ok: true, message: 'No helper runs for this data directory. "npm start" starts one.' }
    const readiness = await readReadiness(dir)
    if (readiness === undefined)
      return {
        name: 'helper',
        ok: true,
        message: `Process ${String(owner)} is starting: it is not ready for a question yet.`,
      }
    const status = await (await context.helper()).call('status', {}, { signal: context.signal })
    return {
      name: 'helper',
      ok: true,
      message: `The helper answers: process ${String(status.pid)}, ${status.pageUrl}, device ${status.peerId}.`,
    }
  } catch (error) {
    return { name: 'helper', ok: false, message: `The helper does not answer: ${messageOf(error)}` }
  }
}
