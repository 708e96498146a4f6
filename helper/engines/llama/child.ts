import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { messageOf, type Logger } from '../../../mesh/base/index.ts'
import { apart, findIsolation, type Launch } from './isolation.ts'
import type { ToEngine } from './protocol.ts'

/** The helper's end of the line to an engine process. Tests give one without a process. */
export interface EngineLink {
  /** Of the process, where there is one. */
  readonly pid?: number | undefined
  send(message: ToEngine): void
  /** At most one listener; what it is given is not checked yet. */
  onMessage(listener: (raw: unknown) => void): void
  /** Called once, when the process is gone, with how it ended in words. */
  onExit(listener: (ending: string) => void): void
  /** Ends the process at once. */
  kill(): void
}

/** What an engine may see of the helper's environment: how to find libraries and devices, and no secrets. */
const PASSED_ON =
  /^(PATH|HOME|USERPROFILE|SYSTEMROOT|WINDIR|TEMP|TMP|TMPDIR|LANG|LC_.*|LD_LIBRARY_PATH|DYLD_.*|CUDA_.*|HIP_.*|ROCR_.*|GGML_.*|VK_.*|XDG_RUNTIME_DIR)$/i

/** What an engine process is started with. */
export interface EngineStart {
  /** The built engine process: a path, or a file URL. */
  readonly workerFile: URL | string
  /** The one model it is to read. */
  readonly modelFile: string
  /** Of the helper, which the engine has no business in. */
  readonly dataDir: string
  readonly log: Logger
}

/**
 * Starts an engine process, apart from the rest of the machine where the system lets
 * us (`findIsolation`). It ends by itself when this process does, however that ends.
 */
export function startEngineProcess({ workerFile, modelFile, dataDir, log }: EngineStart): EngineLink {
  const file = typeof workerFile === 'string' ? workerFile : fileURLToPath(workerFile)
  const program: Launch = { command: process.execPath, args: [file] }
  const { isApart, reason } = findIsolation()
  if (!isApart) log.info('The engine runs with the rights of this user.', { reason: reason ?? 'unknown' })
  const { command, args } = isApart ? apart(program, dataDir, modelFile) : program
  const child = spawn(command, [...args], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => PASSED_ON.test(name))),
  })
  let lastWords = ''
  child.stderr?.setEncoding('utf8')
  child.stderr?.on('data', (text: string) => {
    lastWords = (lastWords + text).slice(-1_000)
    log.debug('engine', { text: text.trim().slice(0, 1_000) })
  })
  return {
    pid: child.pid,
    send(message) {
      if (!child.connected) return
      child.send(message, (error) => {
        // The end of the process is told by onExit; this only says what was lost with it.
        if (error !== null) log.debug('an order did not reach the engine', { reason: messageOf(error) })
      })
    },
    onMessage(listener) {
      child.on('message', listener)
    },
    onExit: (listener) => {
      tellExit(child, listener, () => lastWords)
    },
    kill() {
      child.kill('SIGKILL')
    },
  }
}

function tellExit(child: ChildProcess, listener: (ending: string) => void, lastWords: () => string): void {
  let told = false
  const tell = (ending: string): void => {
    if (told) return
    told = true
    const words = lastWords().trim().split('\n').at(-1) ?? ''
    listener(words === '' ? ending : `${ending}: ${words.slice(0, 200)}`)
  }
  child.once('error', (error) => {
    tell(messageOf(error))
  })
  child.once('exit', (code, signal) => {
    tell(signal === null ? `exit ${String(code)}` : signal)
  })
}
