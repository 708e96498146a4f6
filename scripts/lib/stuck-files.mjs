// A reporter of vitest that ends a test file which stands still, so that a run always ends and names it. Tests have
// time limits of their own, but those are timers of the worker: where native code holds its thread none fires.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Longer than any file takes on a busy machine, several times. */
const FILE_LIMIT_MS = 15 * 60_000
const LOOK_MS = 10_000

export default class StuckFiles {
  /** @type {Map<string, number>} when each file that runs began */
  #began = new Map()
  #timer

  onInit() {
    this.#timer = setInterval(() => this.#look(), LOOK_MS)
    this.#timer.unref()
  }

  onTestModuleQueued(module) {
    this.#began.set(module.moduleId, performance.now())
  }

  onTestModuleEnd(module) {
    this.#began.delete(module.moduleId)
  }

  onTestRunEnd() {
    clearInterval(this.#timer)
  }

  #look() {
    for (const [file, beganAt] of this.#began) {
      if (performance.now() - beganAt < FILE_LIMIT_MS) continue
      this.#began.delete(file)
      const worker = workerOf(file)
      process.stderr.write(
        `FAILED ${file} stands still since ${Math.round((performance.now() - beganAt) / 1_000)} s.\n`,
      )
      if (worker === undefined) process.exit(1)
      process.stderr.write(threadsOf(worker))
      process.kill(worker, 'SIGKILL')
    }
  }
}

/** The process that runs a file: tests/kit/setup.ts makes it the title. */
function workerOf(file) {
  const children = readOr('', `/proc/${process.pid}/task/${process.pid}/children`).split(' ').filter(Boolean)
  return children.map(Number).find((pid) => readOr('', `/proc/${pid}/cmdline`).includes(file))
}

/** What each thread of a process waits for: of a dead lock it tells the libraries by their names. */
function threadsOf(pid) {
  const folder = `/proc/${pid}/task`
  const lines = readdirSync(folder).map((id) => {
    const [name, wait, call] = ['comm', 'wchan', 'syscall'].map((file) => readOr('?', join(folder, id, file)).trim())
    return `  thread ${id} ${name}: ${wait} (${call.split(' ')[0]})\n`
  })
  return lines.join('')
}

function readOr(other, file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return other
  }
}
