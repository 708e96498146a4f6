// Child processes without a shell.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { dirname, join } from 'node:path'

/**
 * Runs a program and resolves to its exit code (128 + signal number where a signal
 * ended it). `quiet` sends its standard output to our standard error, so that a
 * command's own output stays clean.
 */
export function run(command, args, options = {}) {
  const { quiet = false, ...rest } = options
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['inherit', quiet ? process.stderr : 'inherit', 'inherit'], ...rest })
    child.on('error', (error) => {
      process.stderr.write(`${command} cannot be run: ${error.message}\n`)
      resolve(127)
    })
    child.on('exit', (code, signal) => resolve(code ?? 128 + (SIGNAL_NUMBERS[signal] ?? 0)))
  })
}

/** Runs a program whose words matter only when it fails: they are shown then, all of them. */
export function runSilently(command, args, options = {}) {
  return new Promise((resolve) => {
    const said = []
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
    child.stdout.on('data', (chunk) => said.push(chunk))
    child.stderr.on('data', (chunk) => said.push(chunk))
    child.on('error', (error) => {
      process.stderr.write(`${command} cannot be run: ${error.message}\n`)
      resolve(127)
    })
    child.on('close', (code, signal) => {
      if (code !== 0) process.stderr.write(Buffer.concat(said))
      resolve(code ?? 128 + (SIGNAL_NUMBERS[signal] ?? 0))
    })
  })
}

/**
 * Runs a program in what others leave of the processor, and what it starts with it. Resolves
 * to its exit code and all it said, in order.
 */
export function runInGaps(command, args, options = {}) {
  return new Promise((resolve) => {
    const said = []
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
    const text = () => Buffer.concat(said).toString()
    child.stdout.on('data', (chunk) => said.push(chunk))
    child.stderr.on('data', (chunk) => said.push(chunk))
    child.on('error', (error) => resolve({ code: 127, text: `${command} cannot be run: ${error.message}` }))
    child.on('close', (code, signal) => resolve({ code: code ?? 128 + (SIGNAL_NUMBERS[signal] ?? 0), text: text() }))
    try {
      if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW)
    } catch {
      // where that is not allowed it runs as everything does
    }
  })
}

const SIGNAL_NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }

/** Runs a Node program to its end and hands on the signals this process gets meanwhile. */
export function runNode(args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { stdio: 'inherit', ...options })
    const forward = (signal) => child.kill(signal)
    // on Ctrl-C the terminal tells the child itself; we only must not die before it
    const ignore = () => {}
    process.on('SIGINT', ignore)
    process.on('SIGTERM', forward)
    process.on('SIGHUP', forward)
    child.on('error', (error) => {
      process.stderr.write(`${error.message}\n`)
      resolve(127)
    })
    child.on('exit', (code, signal) => {
      process.off('SIGINT', ignore)
      process.off('SIGTERM', forward)
      process.off('SIGHUP', forward)
      resolve(code ?? 128 + (SIGNAL_NUMBERS[signal] ?? 0))
    })
  })
}

/** How to run npm with this very Node, without a shell: `[program, ...first arguments]`. */
export function npmCommand() {
  const candidates = [
    process.env.npm_execpath,
    join(dirname(process.execPath), 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    join(dirname(process.execPath), '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    '/usr/share/nodejs/npm/bin/npm-cli.js',
  ]
  const script = candidates.find((file) => file !== undefined && /npm-cli\.[cm]?js$/.test(file) && existsSync(file))
  return script === undefined ? ['npm'] : [process.execPath, script]
}
