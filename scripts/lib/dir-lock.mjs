// A lock between processes that work on one clone: install and build take turns.
import { randomBytes } from 'node:crypto'
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { processStart } from './process-start.mjs'

const POLL_MS = 200
/** An install on a slow line takes minutes; after this long the waiting process says so and gives up. */
const WAIT_LIMIT_MS = 30 * 60_000

/**
 * Runs `work` while holding the lock `file`. A lock of a dead process is replaced.
 * `onWait(pid)` is called once when another one holds it.
 */
export async function withLock(file, onWait, work) {
  await mkdir(dirname(file), { recursive: true })
  const own = JSON.stringify({ pid: process.pid, start: processStart(process.pid) })
  await acquire(file, own, onWait)
  try {
    return await work()
  } finally {
    if ((await readText(file)) === own) await rm(file, { force: true })
  }
}

async function acquire(file, own, onWait) {
  const until = Date.now() + WAIT_LIMIT_MS
  let told = false
  for (;;) {
    if (await tryCreate(file, own)) return
    const found = await readText(file)
    if (found === undefined) continue
    const owner = parse(found)
    if (owner === undefined || !isAlive(owner)) {
      await discard(file, found)
      continue
    }
    if (!told) onWait(owner.pid)
    told = true
    if (Date.now() > until) {
      process.stderr.write(
        `Process ${owner.pid} has been installing or building here for half an hour. End it and try again.\n`,
      )
      process.exit(1)
    }
    await pause(POLL_MS)
  }
}

async function tryCreate(file, own) {
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  await writeFile(draft, own, { flag: 'wx' })
  try {
    await link(draft, file)
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    return createExclusively(file, own, error)
  } finally {
    await rm(draft, { force: true })
  }
}

// file systems without hard links
async function createExclusively(file, own, cause) {
  if (!['EPERM', 'ENOTSUP', 'ENOSYS', 'EOPNOTSUPP'].includes(cause.code)) throw cause
  try {
    await writeFile(file, own, { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
}

async function discard(file, stale) {
  const aside = `${file}.stale-${randomBytes(6).toString('hex')}`
  try {
    await rename(file, aside)
  } catch (error) {
    if (error.code === 'ENOENT') return
    throw error
  }
  // a rival may have replaced it between our look and our move: then its lock goes back
  const moved = await readText(aside)
  if (moved !== undefined && moved !== stale) await link(aside, file).catch(() => undefined)
  await rm(aside, { force: true })
}

function isAlive(owner) {
  try {
    process.kill(owner.pid, 0)
  } catch (error) {
    if (error.code !== 'EPERM') return false
  }
  const start = processStart(owner.pid)
  if (owner.start === null || start === null) return owner.pid !== process.pid
  return start === owner.start
}

function parse(text) {
  try {
    const owner = JSON.parse(text)
    return Number.isInteger(owner.pid) && owner.pid > 0 ? owner : undefined
  } catch {
    return undefined
  }
}

async function readText(file) {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT') return undefined
    throw error
  }
}
