import { spawn } from 'node:child_process'
import { rm } from 'node:fs/promises'
import type { Clock, Logger, Random } from '../../mesh/base/index.ts'
import { writePrivate } from '../data-dir/index.ts'

/** What opening a page needs of its surroundings. */
export interface OpeningPorts {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly env: Readonly<Record<string, string | undefined>>
  readonly platform: NodeJS.Platform
  /** Starts a program without a shell and without waiting for it; false when it cannot be started. */
  launch(command: string, args: readonly string[]): Promise<boolean>
}

/** A link on its way to the browser. */
export interface OpenedLink {
  /** False: this machine has no browser to open, or opening failed. */
  readonly isOpening: boolean
  /** Removes the file that carries the link. Done by itself when the link expires. */
  discard(): Promise<void>
}

/**
 * Opens a link that carries a secret in this machine's browser. The secret goes
 * through a file in `dir` that only this user may read: command lines are readable
 * by every process. The file goes when the link expires.
 */
export async function openLink(
  link: { readonly url: string; readonly expiresAt: number },
  dir: string,
  ports: OpeningPorts,
): Promise<OpenedLink> {
  const opener = openerFor(ports)
  if (opener === undefined) return { isOpening: false, discard: () => Promise.resolve() }
  const file = `${dir}/open-${Buffer.from(ports.random.bytes(8)).toString('hex')}.html`
  await writePrivate(file, redirectPage(link.url))
  const remove = async (): Promise<void> => {
    cancel()
    await rm(file, { force: true })
  }
  const cancel = ports.clock.schedule(Math.max(0, link.expiresAt - ports.clock.now()), () => {
    remove().catch((error: unknown) => {
      ports.log.warn('The file that opened the page could not be removed.', { error })
    })
  })
  const isOpening = await ports.launch(opener.command, [...opener.args, file])
  if (!isOpening) await remove()
  return { isOpening, discard: remove }
}

/** A page that goes on to `url` at once and leaves nothing of itself in the history. */
export function redirectPage(url: string): string {
  const attribute = url.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')
  return `<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer"><title>Plexus</title><meta http-equiv="refresh" content="0;url=${attribute}">\n`
}

/** Starts a program of this machine, detached from the helper's life and output. */
export function launchProgram(command: string, args: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(command, [...args], { detached: true, stdio: 'ignore' })
    child.once('error', () => {
      resolve(false)
    })
    child.once('spawn', () => {
      child.unref()
      resolve(true)
    })
  })
}

function openerFor({
  platform,
  env,
}: OpeningPorts): { readonly command: string; readonly args: readonly string[] } | undefined {
  if (platform === 'darwin') return { command: 'open', args: [] }
  // not "start", which is a word of the shell
  if (platform === 'win32') return { command: 'rundll32', args: ['url.dll,FileProtocolHandler'] }
  const hasScreen = Boolean(env['DISPLAY']) || Boolean(env['WAYLAND_DISPLAY'])
  return hasScreen ? { command: 'xdg-open', args: [] } : undefined
}
