import { access } from 'node:fs/promises'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import {
  asMeshError,
  isAbort,
  MeshError,
  type Clock,
  type Logger,
  type Random,
  type Store,
} from '../mesh/base/index.ts'
import type { ModelProgress } from '../mesh/engine/index.ts'
import { loadDeviceKey, originProof } from '../mesh/identity/index.ts'
import type { Mesh } from '../mesh/mesh-types.ts'
import type { OpenVault } from '../mesh/seal/index.ts'
import { createMesh, type Discovery } from '../mesh/mesh.ts'
import { originsIn, type LoadedConfig } from './config/index.ts'
import { createKeyFile, makeSecret, openDataDir, type Readiness } from './data-dir/index.ts'
import { createBeacon } from './discovery/index.ts'
import { createEngines, type HelperEngineHost } from './engines/index.ts'
import { createGateway, createOpenings, type Face, type GatewayOptions } from './gateway/index.ts'
import { createGuests, type Guests } from './guests/index.ts'
import {
  createLocalApi,
  createRoomUse,
  type LocalHost,
  type LocalLock,
  type LocalModels,
  type Link,
  type TrustReport,
} from './local/index.ts'
import { openData, type Passphrases } from './lock/index.ts'
import { createModelLibrary, type ModelLibrary } from './models/index.ts'
import { otherUsers } from './ports/other-users.ts'
import { createThreadDecoder } from './ports/thread-decoder.ts'
import { loadPeerCertificate } from './ports/certificate.ts'
import { openLevelStore } from './ports/level-store.ts'
import { boundPorts, listenError, nodePreset } from './ports/node-peer.ts'
import { isOpenBySwitch } from './lan-switch.ts'
import { requireFreeUdp } from './ports/udp-port.ts'
import { networkNames, openReach, pageAt, trustPageUrl, type Place, type Reach } from './reach/index.ts'

/** How long a link for this machine's own browser works when nobody says otherwise. */
const OPEN_LINK_LIFETIME_MS = 60_000

/** What a helper is given by the process it runs in. */
export interface HelperPorts {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** The directory that holds `dist/`. */
  readonly installDir: string
  readonly passphrases: Passphrases
  /** Aborting ends the start, whatever it waits for. */
  readonly signal: AbortSignal
  /** The page can be opened: it shows how the model comes. */
  onServed(served: ServedPage): void
  onModelProgress(progress: ModelProgress): void
  /** Somebody asked over the local API that the helper ends. */
  requestStop(): void
  /** A switch was flipped that needs a new start to act. */
  requestRestart(): void
}

/** The page of a helper, served from before its model is there. */
export interface ServedPage {
  /** `http://127.0.0.1:PORT/` */
  readonly pageUrl: string
  /** False when there is no built page to serve. */
  readonly hasPage: boolean
  /** For other devices, while the local network is open. */
  elsewhere(): { readonly page: string | undefined; readonly trust: TrustReport }
  /** A fresh link for this machine's browser. */
  makeLink(options: { readonly lifetimeMs?: number; readonly signal?: AbortSignal | undefined }): Promise<Link>
  /** Calls back once, when the next device was admitted. */
  onNextJoin(callback: () => void): void
  /** The same link, so that the page knows that this very helper led to it. */
  marked(url: string): string
}

/** A helper that is ready for a question, or says why it has no model. */
export interface RunningHelper extends ServedPage {
  readonly readiness: Readiness
  /** Why no model could be had, one sentence. */
  readonly modelTrouble: string | undefined
  /** Frees the model, says goodbye, removes `ports.json` and the lock. */
  stop(): Promise<void>
  /** Removes `ports.json` and the lock at once, for a process that ends without having stopped. */
  releaseNow(): void
}

type Cleanup = () => Promise<void>

/**
 * Starts a helper: lock, identity, peer, gateway (the page is served from here on),
 * model, and last `ports.json`. A failure undoes what was begun.
 * @throws MeshError `data-dir-unusable`, `data-dir-in-use`, `port-taken`, `model-unavailable`,
 * `model-invalid`, `locked`, `passphrase-wrong`, `storage-corrupt`, `malformed`, `engine-load`, `engine-memory`, `storage-failed`, `aborted`.
 */
export async function startHelper(loaded: LoadedConfig, ports: HelperPorts): Promise<RunningHelper> {
  const cleanups: Cleanup[] = []
  const undo = async (): Promise<void> => {
    for (const cleanup of cleanups.splice(0).reverse()) {
      try {
        await cleanup()
      } catch (error) {
        ports.log.error('A part of the helper did not stop cleanly.', { error })
      }
    }
  }
  try {
    return await start(loaded, ports, cleanups, undo)
  } catch (error) {
    await undo()
    throw error
  }
}

async function start(
  loaded: LoadedConfig,
  ports: HelperPorts,
  cleanups: Cleanup[],
  stop: () => Promise<void>,
): Promise<RunningHelper> {
  const { config } = loaded
  const { clock, random, log, signal } = ports
  const startedAt = clock.now()

  const dataDir = await openDataDir(config.dataDir, { nowMs: startedAt, random })
  cleanups.push(() => dataDir.release())
  if (dataDir.wasLeftBehind)
    log.info('The last helper of this directory ended without cleaning up; its lock was replaced.')
  const lan = config.lan || (await isOpenBySwitch(loaded))

  const library = await createModelLibrary({
    dataDir: config.dataDir,
    clock,
    log: log.child('models'),
    offline: config.offline,
  })
  cleanups.push(() => library.close())
  // a file that cannot be used ends the start before anything is promised to anybody
  if (config.model !== undefined) await library.addFile(config.model, { signal })

  const engines = createEngines({
    library,
    clock,
    log: log.child('engine'),
    threads: config.threads,
    workerFile: join(ports.installDir, 'dist', 'helper', 'llama-worker.js'),
  })
  cleanups.push(() => engines.stop())

  const platformStore = await openLevelStore(dataDir.at('store'), { log: log.child('store') })
  cleanups.push(() => platformStore.close())
  const device = createKeyFile(dataDir.at('store.key'), random)
  const vault = await openData(
    { inner: platformStore, device, random, clock, passphrases: ports.passphrases, log: log.child('store') },
    { signal },
  )
  const { store } = vault
  cleanups.push(() => store.close())
  /** Known once the gateway listens, which needs the mesh first. */
  const page: { url: string | undefined } = { url: undefined }
  const certificate = await loadPeerCertificate({ store, clock, random, log }, { signal })
  const switches = await dataDir.switches()
  const ownPorts = portsFrom(config.port, lan)
  // who comes before the gateway is there waits at the door
  const reach = await openReach({
    port: config.port,
    stunPort: ownPorts.stun,
    lan,
    trustDir: dataDir.at('tls'),
    store,
    label: `Plexus on ${config.name}`,
    makesAuthority: switches.authority !== false,
    own:
      config.tlsCert === undefined || config.tlsKey === undefined
        ? undefined
        : { cert: config.tlsCert, key: config.tlsKey },
    publicPage: config.pageUrl,
    pageOrigins: originsIn(config.pageOrigins),
    clock,
    random,
    log,
    signal,
  })
  cleanups.push(() => reach.close())
  const preset = nodePreset({ ports: { ...ownPorts, ws: reach.entrance }, lan, certificate })
  await requireFreeUdp(ownPorts.webrtcDirect, reach.listenOn)
  const mesh = await listenErrorsNamed(
    createMesh(
      {
        clock,
        random,
        store,
        log,
        preset,
        engines,
        decoder: createThreadDecoder({ clock, log }),
        device: { name: config.name, kind: 'helper', nameIsChosen: loaded.provenance.name.origin !== 'default' },
        stunPort: reach.stunPort,
        discovery: discoveryBy(reach, { clock, random }),
        pageUrl: () => page.url,
      },
      { signal },
    ),
  )
  cleanups.push(() => mesh.stop())

  const guests = createGuests({
    mesh,
    store,
    clock,
    log: log.child('guests'),
    areWanted: () => config.guests && reach.where().lan,
  })
  cleanups.push(() => {
    guests.stop()
    return Promise.resolve()
  })

  const token = config.token ?? (await dataDir.token())
  const credential = makeSecret(random)
  const makeLink: RunningHelper['makeLink'] = async (options) => {
    const made = await mesh.invite({
      confirmation: 'in-advance',
      lifetimeMs: options.lifetimeMs,
      signal: options.signal,
    })
    return { url: made.url, expiresAt: made.expiresAt }
  }
  const host: LocalHost = {
    mesh,
    models: localModels(library, engines),
    rooms: createRoomUse(mesh.rooms.rooms, log.child('rooms')),
    token: () => token,
    openLink: (options) => makeLink({ lifetimeMs: OPEN_LINK_LIFETIME_MS, ...options }),
    pageAt: (place: Place) => pageAt(place, reach.where()),
    trust: () => trustReport(reach),
    async setAuthority(wanted) {
      const is = wanted ? (await reach.trust.make()).kind !== 'off' : await reach.trust.delete()
      await dataDir.writeSwitches({ ...(await dataDir.switches()), authority: wanted })
      log.info(wanted ? 'The authority is in force.' : 'The authority and its key were deleted.', { was: is })
      return trustReport(reach)
    },
    lan: () => ({ lan, addresses: lan ? mesh.addresses() : [] }),
    setLan: async (open) => {
      if (open === lan) return host.lan()
      refuseFixedLan(loaded)
      await dataDir.writeSwitches({ ...(await dataDir.switches()), lan: open })
      ports.requestRestart()
      return { ...host.lan(), isRestarting: true }
    },
    lock: localLock(vault, ports.passphrases),
    status: () => ({
      pid: process.pid,
      peerId: mesh.self,
      startedAt,
      pageUrl: page.url ?? '',
      offline: config.offline,
    }),
    requestStop: ports.requestStop,
  }
  const openings = createOpenings({ clock, random })
  const gateway = createGateway({
    mesh,
    clock,
    random,
    log: log.child('gateway'),
    token,
    pageDir: config.pageDir,
    face: { ...faceOf(reach, guests), isShared: await sharedMachine() },
    prove: await originProver(store, ports),
    openings,
    mounts: [{ path: '/local', auth: 'own', app: createLocalApi({ host, credential, log: log.child('local') }) }],
  })
  const serving = gateway.serve(reach.door)
  cleanups.push(() => serving.close())
  const pageUrl = `${serving.url}/`
  page.url = pageUrl
  await dataDir.writeCredential({ url: pageUrl, credential, pid: process.pid })
  const hasPage = await exists(join(config.pageDir, 'index.html'))
  if (!hasPage) log.warn('There is no built page to serve. Run "npm run build".', { pageDir: config.pageDir })
  log.info('The page is served; the model comes next.', { page: pageUrl })
  const served: ServedPage = {
    pageUrl,
    hasPage,
    elsewhere: () => ({ page: pageAt('elsewhere', reach.where()), trust: trustReport(reach) }),
    makeLink,
    marked: (url) => openings.mark(url),
    onNextJoin: (callback) => {
      const end = mesh.events.subscribe((event) => {
        if (event.type !== 'device-joined') return
        end()
        callback()
      })
    },
  }
  ports.onServed(served)

  const modelTrouble = await readyModel(config.model !== undefined, library, engines, ports)
  const readiness: Readiness = {
    pid: process.pid,
    http: reach.door.port,
    ws: reach.door.port,
    ...boundPorts(mesh.addresses()),
    peerId: mesh.self,
    startedAt,
  }
  await dataDir.writeReadiness(readiness)
  log.info('The helper is ready.', { page: pageUrl, device: mesh.self })

  return {
    ...served,
    readiness,
    modelTrouble,
    async stop() {
      // first of all: nobody new shall be sent here
      await dataDir.removeReadiness()
      await stop()
    },
    releaseNow() {
      for (const name of ['ports.json', 'cli.json', 'helper.lock']) rmSync(dataDir.at(name), { force: true })
    },
  }
}

/**
 * Makes a model answer. A sentence when none could be had: the helper goes on, and
 * the page says what to do.
 * @throws MeshError of the engine, naming the file, when the file given by the person cannot be loaded.
 */
async function readyModel(
  isGiven: boolean,
  library: ModelLibrary,
  engines: HelperEngineHost,
  ports: HelperPorts,
): Promise<string | undefined> {
  const { signal } = ports
  const end = library.changes.subscribe(() => {
    const progress = library.list().find((model) => model.state === 'downloading')?.progress
    if (progress !== undefined) ports.onModelProgress(progress)
  })
  try {
    await library.ensureFirst({ signal })
    await engines.start({ signal })
    return undefined
  } catch (error) {
    const known = asMeshError(error)
    if (known.code === 'aborted' || isGiven) throw known
    ports.log.warn('No model is ready.', { code: known.code, reason: known.message })
    return known.message
  } finally {
    end()
  }
}

function localLock(vault: OpenVault, passphrases: Passphrases): LocalLock {
  const state: LocalLock['state'] = async (options) => ({ isLocked: (await vault.locks(options)).length > 0 })
  return {
    state,
    async set(passphrase, options) {
      await vault.setPassphrase(passphrase, options)
      // a start in place must not wait for somebody at the terminal
      passphrases.remember(passphrase)
      return state(options)
    },
    async remove(options) {
      await vault.removeLocks(options)
      passphrases.remember(undefined)
      return state(options)
    },
  }
}

/** Devices of the mesh find each other on the open network; undefined while it is closed. */
function discoveryBy(reach: Reach, ports: { readonly clock: Clock; readonly random: Random }): Discovery | undefined {
  const { multicast } = reach
  if (multicast === undefined) return undefined
  return (host) => createBeacon({ ...ports, ...host, multicast, port: () => boundPorts(host.addresses()).tcp })
}

/** Whether others have accounts here, as it was at the start. */
async function sharedMachine(): Promise<() => boolean> {
  const isShared = (await otherUsers()).length > 0
  return () => isShared
}

/** Signs for a page, with the key this device is known by, that this helper serves it. */
async function originProver(
  store: Store,
  { random, log }: Pick<HelperPorts, 'random' | 'log'>,
): Promise<NonNullable<GatewayOptions['prove']>> {
  const key = await loadDeviceKey(store, random, { log })
  return async (origin, nonce) => ({ device: key.id, proof: await originProof(key, origin, nonce) })
}

/** What the gateway tells of this helper's place on its network. */
function faceOf(reach: Reach, guests: Guests): Face {
  return {
    guests,
    isOpen: () => reach.where().lan,
    names: () => networkNames(reach.where()),
    pageElsewhere: () => pageAt('elsewhere', reach.where()),
    trustPage: () => trustPageUrl(reach.where()),
    trust() {
      const { trust, addresses, port } = reach.where()
      if (trust.kind !== 'own-authority') return undefined
      const hosts = [...addresses.filter((address) => trust.names.includes(address)), 'plexus.local']
      return { ...trust, securePages: hosts.map((host) => `https://${host}:${String(port)}/`) }
    },
  }
}

function trustReport(reach: Reach): TrustReport {
  const { trust } = reach.where()
  return {
    kind: trust.kind,
    fingerprint: trust.kind === 'own-authority' ? trust.fingerprint : null,
    file: trust.kind === 'own-authority' ? trust.file : null,
    names: trust.kind === 'off' ? [] : trust.names,
    page: trustPageUrl(reach.where()) ?? null,
  }
}

function localModels(library: ModelLibrary, engines: HelperEngineHost): LocalModels {
  return {
    list: () => engines.models(),
    async get(name, { signal, onProgress }) {
      const end = library.changes.subscribe(() => {
        const progress = library
          .list()
          .find((model) => model.state === 'downloading' && (model.id === name || name.includes(model.id)))?.progress
        if (progress !== undefined) onProgress(progress)
      })
      try {
        return await library.get(name, { signal })
      } finally {
        end()
      }
    },
    use: (id, { signal }) => library.use(id, { signal }),
    remove: (id, { signal }) => library.remove(id, { signal }),
  }
}

/** A switch that a flag, a variable or the settings file has fixed cannot be flipped from elsewhere. */
function refuseFixedLan(loaded: LoadedConfig): void {
  const { origin, from } = loaded.provenance.lan
  if (origin === 'default') return
  throw new MeshError('conflict', `The local network is fixed by ${from}. Change it there and start the helper again.`)
}

/**
 * The other ports follow the page's, so that one number says where everything is. WebRTC-direct has one for
 * the open network and one for this machine: neither is free again before its process has ended.
 */
function portsFrom(base: number, lan: boolean): { stun: number; tcp: number; webrtcDirect: number } {
  if (base === 0) return { stun: 0, tcp: 0, webrtcDirect: 0 }
  return { stun: base + 1, tcp: base + 2, webrtcDirect: base + (lan ? 3 : 4) }
}

async function listenErrorsNamed(starting: Promise<Mesh>): Promise<Mesh> {
  try {
    return await starting
  } catch (error) {
    throw isAbort(error) ? error : listenError(error)
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file)
    return true
  } catch {
    return false
  }
}
