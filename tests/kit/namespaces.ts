import { execFileSync } from 'node:child_process'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { chromium, type BrowserContext, type Page } from 'playwright-core'
import { MeshError } from '../../mesh/base/index.ts'
import { findChromium } from '../../scripts/lib/chromium.mjs'
import { canMakeNamespaces } from '../../scripts/lib/namespaces.mjs'
import { makeTempDir } from './helper-process.ts'

/** True when there is a Chromium, and machines of their own can be made for it; otherwise such tests are left out. */
export const hasNamespaces = findChromium() !== undefined && canMakeNamespaces()

/** A machine of a test: a network namespace with one address on the switch. */
export interface Machine {
  readonly name: string
  readonly address: string
  /** Runs a program on it: put before program and arguments. */
  readonly through: readonly string[]
}

/** A switch with machines on it, apart from the network of the computer the test runs on. */
export interface Lan {
  readonly machines: Readonly<Record<string, Machine>>
  /** Whether multicast (mDNS) is carried, as many guest networks do not. */
  setMulticast(on: boolean): void
  /** Keeps these machines from each other, as access points do that isolate their clients. */
  isolate(names: readonly string[], on: boolean): void
  /** Gives a machine another address, as a router does after a while. */
  renumber(name: string, address: string): void
  remove(): void
}

const PREFIX = '10.77.0.'

function ip(...args: readonly string[]): void {
  try {
    execFileSync('ip', [...args], { stdio: ['ignore', 'ignore', 'pipe'] })
  } catch (error) {
    throw new MeshError('bug', `ip ${args.join(' ')} failed.`, { cause: error })
  }
}

/** Makes a switch and one machine for each name. */
export function makeLan(names: readonly string[]): Lan {
  const id = `px${String(process.pid)}`
  const hub = `${id}-switch`
  ip('netns', 'add', hub)
  const spaces = [hub]
  const remove = (): void => {
    for (const space of spaces.splice(0).reverse()) ip('netns', 'del', space)
  }
  try {
    ip('-n', hub, 'link', 'add', 'sw', 'type', 'bridge')
    ip('-n', hub, 'link', 'set', 'sw', 'up')
    const machines: Record<string, Machine> = {}
    for (const [index, name] of names.entries()) {
      const space = `${id}-${name}`
      const address = `${PREFIX}${String(index + 2)}`
      ip('netns', 'add', space)
      spaces.push(space)
      ip('-n', hub, 'link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', space)
      ip('-n', hub, 'link', 'set', name, 'master', 'sw')
      ip('-n', hub, 'link', 'set', name, 'up')
      ip('-n', space, 'link', 'set', 'lo', 'up')
      ip('-n', space, 'addr', 'add', `${address}/24`, 'dev', 'eth0')
      ip('-n', space, 'link', 'set', 'eth0', 'up')
      // multicast needs a way out; nothing else leaves the switch
      ip('-n', space, 'route', 'add', '224.0.0.0/4', 'dev', 'eth0')
      machines[name] = { name, address, through: ['ip', 'netns', 'exec', space] }
    }
    const port = (name: string, ...setting: string[]): void => {
      ip('-n', hub, 'link', 'set', 'dev', name, 'type', 'bridge_slave', ...setting)
    }
    return {
      machines,
      setMulticast(on) {
        for (const name of names) port(name, 'mcast_flood', on ? 'on' : 'off')
      },
      isolate(some, on) {
        for (const name of some) port(name, 'isolated', on ? 'on' : 'off')
      },
      renumber(name, address) {
        ip('-n', `${id}-${name}`, 'addr', 'flush', 'dev', 'eth0', 'scope', 'global')
        ip('-n', `${id}-${name}`, 'addr', 'add', `${address}/24`, 'dev', 'eth0')
        ip('-n', `${id}-${name}`, 'route', 'replace', '224.0.0.0/4', 'dev', 'eth0')
      },
      remove,
    }
  } catch (error) {
    remove()
    throw error
  }
}

/** A browser on a machine of its own, with a fresh profile. */
export interface Phone {
  readonly context: BrowserContext
  readonly page: Page
  /** Errors of its console, and exceptions nobody caught. */
  readonly errors: string[]
  close(): Promise<void>
}

const FLAGS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Starts a browser on a machine; `authority` is the PEM file of one that its owner chose to trust. */
export async function startPhone(
  machine: Machine,
  options: { readonly authority?: string; readonly flags?: readonly string[] } = {},
): Promise<Phone> {
  const dir = await makeTempDir('plexus-phone-')
  if (options.authority !== undefined) await trust(dir.path, options.authority)
  const launcher = join(dir.path, 'chromium')
  await writeFile(launcher, `#!/bin/sh\nexec ${machine.through.join(' ')} '${findChromium() ?? ''}' "$@"\n`)
  await chmod(launcher, 0o700)
  const context = await chromium.launchPersistentContext(join(dir.path, 'profile'), {
    executablePath: launcher,
    headless: true,
    args: [...FLAGS, ...(options.flags ?? [])],
    env: { ...process.env, HOME: dir.path },
    viewport: { width: 390, height: 844 },
    locale: 'en-GB',
  })
  const errors: string[] = []
  context.on('console', (message) => {
    if (message.type() === 'error') errors.push(`${message.text()} (${message.location().url})`)
  })
  context.on('weberror', (error) => errors.push(String(error.error())))
  return {
    context,
    page: context.pages()[0] ?? (await context.newPage()),
    errors,
    async close() {
      await context.close()
      await dir.remove()
    },
  }
}

/** Puts an authority into the list that Chromium reads on Linux, as a person does in its settings. */
async function trust(home: string, file: string): Promise<void> {
  const db = join(home, '.pki', 'nssdb')
  await mkdir(db, { recursive: true })
  const certutil = (...args: readonly string[]): void => {
    execFileSync('certutil', ['-d', `sql:${db}`, ...args], { stdio: 'ignore' })
  }
  certutil('-N', '--empty-password')
  certutil('-A', '-t', 'C,,', '-n', 'plexus', '-i', file)
}
