import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { getWhole, messageOf, type Clock, type Logger, type Random, type Store } from '../../mesh/base/index.ts'
import { writePrivate } from '../data-dir/index.ts'
import type { TlsPair } from '../door/index.ts'
import {
  createAuthority,
  describeCertificate,
  fingerprintOf,
  isIssuedBy,
  issueLeaf,
  markOf,
  namesWithin,
  type Authority,
} from './authority.ts'
import { loadOwnCertificate, markOfFiles, type OwnCertificateFiles } from './own-certificate.ts'

/** What TLS is spoken with, if it is. */
export type TrustState =
  | { readonly kind: 'off' }
  | {
      readonly kind: 'own-authority'
      /** SHA-256 of the authority, with colons. */
      readonly fingerprint: string
      /** The authority's certificate, PEM; public. */
      readonly certificate: string
      /** Where it lies, to be copied by hand. */
      readonly file: string
      readonly names: readonly string[]
    }
  | { readonly kind: 'own-certificate'; readonly names: readonly string[] }

/** What the trust of a helper is made of. */
export interface TrustOptions {
  /** Where the certificate to give away lies; made when needed, mode 0700. */
  readonly dir: string
  /** Where the keys are kept: sealed, as everything is. */
  readonly store: Pick<Store, 'get' | 'put' | 'delete'>
  /** What the authority is called in the lists of devices. */
  readonly label: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** The person's own certificate takes the place of the authority. */
  readonly own?: OwnCertificateFiles | undefined
  /** Addresses of this machine on the network, now. */
  addresses(): readonly string[]
  /** Speaks TLS with this from now on, or no more. */
  use(pair: TlsPair | undefined): void
}

/** Keeps TLS in force: an authority of this helper's own, or the person's certificate. */
export interface Trust {
  state(): TrustState
  /** Makes an authority where there is none, and speaks TLS with it. */
  make(): Promise<TrustState>
  /** Deletes the authority and its key from this machine; TLS with it ends. False: there was none. */
  delete(): Promise<boolean>
  /** Looks now whether something has to be renewed; done by itself every minute. */
  look(): Promise<void>
  stop(): void
}

/** How often addresses, dates and files are looked at. */
const LOOK_MS = 60_000
const RENEW_BEFORE_MS = 30 * 24 * 60 * 60_000

/** One record for key and certificate: never one without the other, also after a power cut. */
const AUTHORITY_KEY = 'trust/authority'
const LEAF_KEY = 'trust/leaf'
/** The certificate alone, to give away. */
const PUBLIC_FILE = 'plexus-authority.crt'

/**
 * Takes TLS into force: the person's certificate, else the authority kept in `store`,
 * else nothing until {@link Trust.make}.
 * @throws MeshError `config-invalid` for a certificate of the person's that cannot be used.
 */
export async function openTrust(options: TrustOptions): Promise<Trust> {
  const { clock, log } = options
  const source = options.own === undefined ? ownAuthority(options) : await ownCertificate(options, options.own)
  let cancel = (): void => {}
  const look = async (): Promise<void> => {
    try {
      await source.look()
    } catch (error) {
      log.error('The certificate of this helper could not be renewed; the one in force stays.', {
        reason: messageOf(error),
      })
    }
  }
  const lookAgain = (): void => {
    cancel = clock.schedule(LOOK_MS, () => {
      void look().then(lookAgain)
    })
  }
  await look()
  lookAgain()
  return {
    state: () => source.state(),
    make: () => source.make(),
    delete: () => source.delete(),
    look,
    stop() {
      cancel()
    },
  }
}

interface Source extends Pick<Trust, 'state' | 'make' | 'delete'> {
  /** Renews what is due. */
  look(): Promise<void>
}

async function ownCertificate(options: TrustOptions, files: OwnCertificateFiles): Promise<Source> {
  const { clock, log, use } = options
  let mark = await markOfFiles(files)
  let loaded = await loadOwnCertificate(files, clock.now())
  use(loaded.pair)
  const state = (): TrustState => ({ kind: 'own-certificate', names: loaded.names })
  return {
    state,
    make: () => Promise.resolve(state()),
    // it is the person's: not ours to delete
    delete: () => Promise.resolve(false),
    async look() {
      const seen = await markOfFiles(files)
      if (seen === mark) return
      loaded = await loadOwnCertificate(files, clock.now())
      mark = seen
      use(loaded.pair)
      log.info('The new certificate is in force.', { file: files.cert })
    },
  }
}

function ownAuthority(options: TrustOptions): Source {
  const { dir, store, clock, random, log, use } = options
  let authority: Authority | undefined
  let leaf: TlsPair | undefined
  let inForce: TlsPair | undefined

  const namesFor = (from: Authority): string[] =>
    namesWithin(from, ['plexus.local', ...options.addresses(), '127.0.0.1', 'localhost'])
  const state = (): TrustState => {
    if (authority === undefined || leaf === undefined) return { kind: 'off' }
    const { cert } = authority
    return {
      kind: 'own-authority',
      fingerprint: fingerprintOf(cert),
      certificate: cert,
      file: join(dir, PUBLIC_FILE),
      names: describeCertificate(leaf.cert).names,
    }
  }
  const refreshLeaf = async (from: Authority): Promise<void> => {
    const names = namesFor(from)
    leaf ??= await readPair(options, LEAF_KEY)
    if (leaf === undefined || !isIssuedBy(leaf.cert, from) || isDue(leaf, names, clock.now())) {
      leaf = await issueLeaf(from, names, { nowMs: clock.now(), random })
      await writePair(store, LEAF_KEY, leaf)
      log.info('A certificate for the addresses of this machine was made.', { names: names.join(' ') })
    } else if (inForce === leaf) return
    inForce = leaf
    use(leaf)
  }

  return {
    state,
    async make() {
      authority ??= await readPair(options, AUTHORITY_KEY)
      if (authority === undefined) {
        authority = await createAuthority(`${options.label} ${markOf(random)}`, options.addresses(), {
          nowMs: clock.now(),
          random,
        })
        await writePair(store, AUTHORITY_KEY, authority)
      }
      await mkdir(dir, { recursive: true, mode: 0o700 })
      await writePrivate(join(dir, PUBLIC_FILE), `${authority.cert}\n`)
      await refreshLeaf(authority)
      return state()
    },
    async delete() {
      const was = authority !== undefined || (await getWhole(store, AUTHORITY_KEY, log)) !== undefined
      for (const key of [AUTHORITY_KEY, LEAF_KEY]) await store.delete(key)
      await rm(join(dir, PUBLIC_FILE), { force: true })
      authority = undefined
      leaf = undefined
      inForce = undefined
      use(undefined)
      return was
    },
    async look() {
      authority ??= await readPair(options, AUTHORITY_KEY)
      if (authority !== undefined) await refreshLeaf(authority)
    },
  }
}

/** Ends soon, is of a future that a wrong clock made, or names other addresses than there are. */
function isDue(leaf: TlsPair, names: readonly string[], nowMs: number): boolean {
  const held = describeCertificate(leaf.cert)
  const isOutOfTime = held.notAfter - nowMs < RENEW_BEFORE_MS || held.notBefore > nowMs
  return isOutOfTime || [...held.names].sort().join() !== [...new Set(names)].sort().join()
}

const PAIR =
  /^(-----BEGIN PRIVATE KEY-----[\w\s+/=]+-----END PRIVATE KEY-----)\s+(-----BEGIN CERTIFICATE-----[\w\s+/=]+-----END CERTIFICATE-----)\s*$/

/** A key with its certificate; undefined when there is none, or none that can be read. */
async function readPair({ store, log }: TrustOptions, key: string): Promise<TlsPair | undefined> {
  const record = await getWhole(store, key, log)
  const match = record === undefined ? null : PAIR.exec(new TextDecoder().decode(record))
  return match?.[1] === undefined || match[2] === undefined ? undefined : { key: match[1], cert: match[2] }
}

function writePair(store: TrustOptions['store'], key: string, pair: TlsPair): Promise<void> {
  return store.put(key, new TextEncoder().encode(`${pair.key}\n${pair.cert}\n`))
}
